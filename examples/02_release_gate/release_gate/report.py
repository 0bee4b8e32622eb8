"""The report: a Markdown table of what was found."""

from __future__ import annotations

from pathlib import Path

from release_gate.measure import Measured


def report(out: str, version: str, found: list[Measured], note: str) -> str:
    """Write the report of a release and return where it lies.

    Written aside and renamed: a worker that dies here leaves no half of one.
    """
    lines = [
        f"# Release {version}",
        "",
        note or "No note.",
        "",
        "| file | lines | functions | undocumented | TODOs | hardest function |",
        "|---|---|---|---|---|---|",
    ]
    for one in sorted(found, key=lambda one: (-one.branches, one.path)):
        hardest = f"{one.hardest} ({one.branches})" if one.hardest else one.problem
        lines.append(
            f"| {one.path} | {one.lines} | {one.functions} | {one.undocumented} | {one.marks} "
            f"| {hardest} |"
        )
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(target)
    return str(target)
