"""Run the five patterns and check what comes back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sqswarm.schemas.errors import SwarmError
from sqswarm.testing.fake_claude.deployed import deployed_with_claude

HERE = Path(__file__).parent

TASKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("article", {"topic": "queues"}),
    ("support", {"letter": "My invoice shows one item twice."}),
    ("safe", {"code": "eval(input())"}),
    ("editor", {"prompt": "Which city is larger, Oslo or Rome?"}),
    ("haiku", {"about": "queues"}),
)


def main() -> int:
    """Submit one task a pattern, at once; return 0 where all is as it should be."""
    try:
        with deployed_with_claude(HERE, stage="patterns", script=HERE / "script.json") as (
            swarm,
            claude,
        ):
            tasks = [swarm.submit(name, **arguments) for name, arguments in TASKS]
            found = {}
            for (name, _), task in zip(TASKS, tasks, strict=True):
                found[name] = task.result(timeout=180)
                print(f"{name:8} {found[name]}")
            if claude is not None:
                print(f"{len(claude.paid)} calls of the model, {claude.repeated()} twice")
                assert not claude.repeated()
    except SwarmError as error:
        print(f"error: {error}\n  fix: {error.hint}", file=sys.stderr)
        return error.exit_code
    assert isinstance(found["article"], str)
    assert found["support"]["desk"] == "billing"
    assert found["safe"]["safe"] is False
    assert "Rome" in found["editor"]
    assert found["haiku"]["rounds"] <= 3  # noqa: PLR2004 - what the agent was told
    return 0


if __name__ == "__main__":
    sys.exit(main())
