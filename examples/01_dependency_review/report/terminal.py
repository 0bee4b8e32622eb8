"""What a person sees first: the worst, with the reason, within the terminal's width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from review import Review
from rich.table import Table
from rich.text import Text

STYLES = {"high": "bold red", "medium": "yellow", "low": "dim"}
VERDICT_STYLES = {"act": "bold red", "look": "yellow", "fine": "green", "unknown": "magenta"}
MAX_ROWS = 20
REASONS_SHOWN = 3


def attention_table(reviews: Sequence[Review], *, width: int) -> Table | Text:
    """Rows for what needs action or a look, worst first; a sentence when nothing does."""
    chosen = [r for r in reviews if r.verdict != "fine"]
    if not chosen:
        return Text("Nothing deserves attention: every distribution is fine.", style="green")
    table = Table(
        title="What deserves attention", title_justify="left", width=min(width, 140), expand=False
    )
    table.add_column("package", overflow="fold", max_width=max(12, width // 4))
    table.add_column("verdict", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("why", ratio=1, overflow="fold")
    for review in chosen[:MAX_ROWS]:
        table.add_row(
            Text(f"{review.name} {review.version}"),
            Text(review.verdict, style=VERDICT_STYLES[review.verdict]),
            Text("?" if review.score is None else str(review.score)),
            _reasons(review),
        )
    if len(chosen) > MAX_ROWS:
        table.caption = f"and {len(chosen) - MAX_ROWS} more in report.html"
    return table


def _reasons(review: Review) -> Text:
    items = [a for a in review.attention if a["severity"] != "low"] or review.attention
    lines = [Text(a["title"], style=STYLES[a["severity"]]) for a in items[:REASONS_SHOWN]]
    if len(items) > REASONS_SHOWN:
        lines.append(Text(f"and {len(items) - REASONS_SHOWN} more", style="dim"))
    if not lines:
        lines = [
            Text(
                review.unknowns[0]["what"] if review.unknowns else "nothing is known",
                style="magenta",
            )
        ]
    return Text("\n").join(lines)


def headline(reviews: Sequence[Review]) -> Text:
    """One line with the number of distributions by verdict."""
    counts = Counter(review.verdict for review in reviews)
    parts = [Text(f"{len(reviews)} distributions: ")]
    for place, verdict in enumerate(v for v in ("act", "look", "unknown", "fine") if counts[v]):
        parts += [
            Text(", " if place else ""),
            Text(f"{counts[verdict]} {verdict}", style=VERDICT_STYLES[verdict]),
        ]
    return Text("").join(parts)
