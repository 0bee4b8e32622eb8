"""report.json: the stable shape that other programs read."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fan_out import Tally
from review import Review

# Raised when a key is renamed, removed or changes its meaning; new keys do not raise it.
SHAPE = "dependency-review/1"


def record(
    reviews: Sequence[Review], tally: Tally, *, now: datetime | None = None
) -> dict[str, Any]:
    """Build the JSON document: counts, then every distribution, worst first.

    `packages[].findings` has each agent's result as declared by its model, or is without the agent
    when its task failed: then `packages[].errors` says why.
    """
    made = now or datetime.now(UTC)
    verdicts = Counter(review.verdict for review in reviews)
    return {
        "shape": SHAPE,
        "made_at": made.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "counts": {
            "packages": len(reviews),
            "verdicts": {
                verdict: verdicts[verdict] for verdict in ("act", "look", "fine", "unknown")
            },
            "tasks": {
                "submitted": tally.submitted,
                "completed": tally.completed,
                "failed": tally.failed,
            },
        },
        "packages": [
            {
                "name": review.name,
                "version": None if review.version == "unknown" else review.version,
                "about": review.about,
                "verdict": review.verdict,
                "score": review.score,
                "score_explanation": review.profile["score_explanation"] if review.profile else [],
                "attention": review.attention,
                "unknowns": review.unknowns,
                "findings": review.findings,
                "errors": review.errors,
                "summary": review.summary,
            }
            for review in reviews
        ],
    }
