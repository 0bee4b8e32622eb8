"""The reports: report.json for programs, report.html for people, a table for the terminal."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dependency_review.profile import SEVERITIES, Profile, Unknown
from fan_out import FanOut, Review
from jinja2 import Environment, FileSystemLoader
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

# Raised when a key is renamed, removed or changes its meaning; new keys do not raise it.
SHAPE = "dependency-review/2"
VERDICTS = (
    "act",
    "unknown",
    "look",
    "fine",
)  # what nothing is known about is no better than 'look'
STYLES = {"act": "bold red", "look": "yellow", "fine": "green", "unknown": "magenta"}
MAX_ROWS, REASONS_SHOWN, CHART_ROWS = 20, 3, 12
Bar = tuple[str, list[tuple[float, str]], str]


def record(reviews: Sequence[Review], run: FanOut) -> dict[str, Any]:
    """Build report.json: counts, then every distribution, worst first.

    `packages[].findings` has each agent's result, or is without the agent when its task failed:
    then `packages[].errors` says why.
    """
    packages = [_package(review) for review in reviews]
    packages.sort(key=lambda p: (VERDICTS.index(p["verdict"]), p["score"] or 0, p["name"].lower()))
    verdicts = Counter(package["verdict"] for package in packages)
    tasks = {"submitted": run.submitted, "completed": run.completed, "failed": run.failed}
    return {
        "shape": SHAPE,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "counts": {
            "packages": len(packages),
            "verdicts": {verdict: verdicts[verdict] for verdict in VERDICTS},
            "tasks": tasks,
        },
        "packages": packages,
    }


def _package(review: Review) -> dict[str, Any]:
    why = review.errors.get("profile", "no profile was made")
    nothing = Profile(unknowns=[Unknown(agent="profile", what=why)]).model_dump()
    return {
        "name": review.package.name,
        "version": review.package.version,
        "about": review.package.header("summary") or "",
        **(review.results.get("profile") or nothing),
        "findings": review.findings,
        "errors": review.errors,
        "summary": review.results.get("summary"),
    }


def write(data: dict[str, Any], folder: Path) -> list[Path]:
    """Write report.html, one file that makes no request, and report.json; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = FileSystemLoader(Path(__file__).parent / "page")
    environment = Environment(loader=pages, autoescape=True, trim_blocks=True)
    environment.filters["size"] = lambda count: decimal(int(count))
    page = environment.get_template("report.html.jinja")
    html, text = folder / "report.html", folder / "report.json"
    html.write_text(page.render(data, charts=_charts(data["packages"])), encoding="utf-8")
    text.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [html, text]


def _charts(packages: list[dict[str, Any]]) -> dict[str, list[Bar]]:
    """Bars by title: each a label, the parts it is stacked of (value, colour), and words."""
    found = [(package["name"], package["findings"]) for package in packages]
    licences = Counter(
        (f["licence"]["spdx"] or "not exact", f["licence"]["category"])
        for _, f in found
        if "licence" in f
    )
    colours = {"permissive": "fine", "weak copyleft": "medium", "unknown": "unknown"}
    risks = Counter(
        (SEVERITIES.index(p["severity"]), p["rule"])
        for _, f in found
        for p in f.get("risk", {}).get("patterns", ())
    )
    kinds = {"python_bytes": "blue", "native_bytes": "teal", "data_bytes": "low"}
    sizes = [
        (name, [(f["api_surface"][kind] or 0, colour) for kind, colour in kinds.items()])
        for name, f in found
        if "api_surface" in f
    ]
    sizes.sort(key=lambda bar: -sum(size for size, _ in bar[1]))
    return {
        "Licences (distributions each)": [
            (spdx, [(count, colours.get(kind, "high"))], f"{count} {kind}")
            for (spdx, kind), count in licences.most_common(CHART_ROWS)
        ],
        "Risky patterns (distributions each, without tests)": [
            (rule, [(count, SEVERITIES[place])], f"{count} {SEVERITIES[place]}")
            for (place, rule), count in sorted(risks.items())
        ],
        "Largest on disk (blue Python, teal native, grey data)": [
            (name, parts, decimal(sum(size for size, _ in parts)))
            for name, parts in sizes[:CHART_ROWS]
        ],
    }


def table(data: dict[str, Any], width: int) -> Table:
    """What needs action or a look, worst first, within the terminal's width."""
    chosen = [p for p in data["packages"] if p["verdict"] != "fine"]
    made = Table(title="What deserves attention", title_justify="left", width=min(width, 140))
    made.add_column("package", overflow="fold", max_width=max(12, width // 4))
    made.add_column("verdict", no_wrap=True)
    made.add_column("score", justify="right", no_wrap=True)
    made.add_column("why", ratio=1, overflow="fold")
    for package in chosen[:MAX_ROWS]:
        why = [a["title"] for a in package["attention"] if a["severity"] != "low"]
        why = why or [u["what"] for u in package["unknowns"]]
        made.add_row(
            Text(f"{package['name']} {package['version'] or ''}"),
            Text(package["verdict"], style=STYLES[package["verdict"]]),
            Text("?" if package["score"] is None else str(package["score"])),
            Text("\n".join(why[:REASONS_SHOWN])),
        )
    counts = data["counts"]["verdicts"]
    made.caption = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return made
