# ruff: noqa: E501 - an element of the page is easier to read in one line
"""report.html: one file, no requests, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from review import Review

from report.charts import Bar, bars
from report.details import anchor, attention_items, section
from report.words import share, size

HERE = Path(__file__).parent
MEANING = {
    "act": "something severe",
    "look": "worth a look",
    "unknown": "too little known",
    "fine": "nothing but minor things",
}
LARGEST_SHOWN = 10
# The browser itself refuses what the page must not do, whatever a package's text holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(reviews: Sequence[Review], record: dict[str, Any]) -> str:
    """Draw the page from reviews in rank order and the counts of report.json."""
    counts = record["counts"]
    tiles = "".join(
        f'<div class="tile"><b class="{verdict}">{counts["verdicts"][verdict]}</b>{verdict}: {MEANING[verdict]}</div>'
        for verdict in MEANING
    )
    tasks = counts["tasks"]
    meta = (
        f"{counts['packages']} distributions, {escape(record['made_at'])}, Python {escape(record['python'])}; "
        f"{tasks['submitted']} tasks, {tasks['completed']} completed, {tasks['failed']} failed"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Dependency review</title>'
        f"<style>{_read('style.css')}</style></head><body><main>"
        f'<h1>Dependency review</h1><p class="meta">{meta}</p><div class="tiles">{tiles}</div>'
        f"<h2>What deserves attention</h2>{_attention(reviews)}"
        f'<h2>At a glance</h2><div class="charts">{_charts(reviews)}</div>'
        f'<h2>Every distribution</h2><input type="search" placeholder="Filter: a name, a licence, a verdict" aria-label="Filter">'
        f"{_table(reviews)}<h2>Details</h2>{''.join(section(r) for r in reviews)}"
        f"</main><script>{_read('page.js')}</script></body></html>\n"
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _attention(reviews: Sequence[Review]) -> str:
    cards = "".join(_card(r) for r in reviews if r.verdict != "fine")
    return (
        cards or '<p class="fine">Nothing: every distribution is fine apart from minor things.</p>'
    )


def _card(review: Review) -> str:
    items = attention_items(review, lowest="medium")
    if not items:
        why = "; ".join(dict.fromkeys(u["what"] for u in review.unknowns)) or "nothing is known"
        items = f'<div class="unknown">{escape(why)}</div>'
    score = "no score" if review.score is None else f"score {review.score}"
    return (
        f'<section class="card is-{review.verdict}"><header><a href="#{anchor(review)}">{escape(review.name)}</a>'
        f'<span class="muted">{escape(review.version)}</span><span class="muted">{escape(review.about)}</span>'
        f'<span class="score {review.verdict}">{score}</span></header>{items}</section>'
    )


def _charts(reviews: Sequence[Review]) -> str:
    return "".join((_licences(reviews), _patterns(reviews), _sizes(reviews), _typing(reviews)))


def _licences(reviews: Sequence[Review]) -> str:
    colours = {"permissive": "fill-fine", "weak copyleft": "fill-medium", "unknown": "fill-unknown"}
    counted: Counter[tuple[str, str]] = Counter()
    for review in reviews:
        found = review.findings.get("licence", {})
        counted[found.get("spdx") or "not known exactly", found.get("category", "unknown")] += 1
    rows = [
        Bar(name, ((count, colours.get(kind, "fill-high")),), f"{count} {kind}")
        for (name, kind), count in counted.most_common(12)
    ]
    return bars("Licences (distributions each)", rows)


def _patterns(reviews: Sequence[Review]) -> str:
    counted: Counter[tuple[str, str]] = Counter()
    for review in reviews:
        for pattern in review.findings.get("risk", {}).get("patterns", []):
            counted[pattern["rule"], pattern["severity"]] += 1
    order = ("high", "medium", "low")
    ranked = sorted(counted.items(), key=lambda item: (order.index(item[0][1]), -item[1]))
    rows = [
        Bar(rule, ((count, f"fill-{severity}"),), f"{count} {severity}")
        for (rule, severity), count in ranked
    ]
    return bars("Risky patterns (distributions each, without tests)", rows)


def _sizes(reviews: Sequence[Review]) -> str:
    sized = [(r, d) for r in reviews if (d := r.findings.get("api_surface", {}).get("size"))]
    sized.sort(key=lambda pair: -pair[1]["total_bytes"])
    rows = [
        Bar(
            review.name,
            (
                (disk["python_bytes"], "fill-blue"),
                (disk["native_bytes"], "fill-teal"),
                (disk["data_bytes"], "fill-low"),
            ),
            size(disk["total_bytes"]),
        )
        for review, disk in sized[:LARGEST_SHOWN]
    ]
    return bars("Largest on disk (blue Python, teal native, grey data)", rows)


def _typing(reviews: Sequence[Review]) -> str:
    steps = (
        ("all annotated", 0.995),
        ("75 to 99 %", 0.75),
        ("25 to 75 %", 0.25),
        ("below 25 %", 0.0),
    )
    stubs, nothing = "in stub files (.pyi)", "nothing public, or unknown"
    counted: Counter[str] = Counter()
    for review in reviews:
        found = review.findings.get("api_surface", {})
        typed = found.get("typed_share")
        if found.get("stub_file_count") and (typed is None or typed < 0.75):  # noqa: PLR2004
            counted[stubs] += 1
        else:
            counted[
                nothing if typed is None else next(name for name, least in steps if typed >= least)
            ] += 1
    rows = [
        Bar(
            name,
            ((counted[name], "fill-low" if name == nothing else "fill-blue"),),
            str(counted[name]),
        )
        for name in (*(name for name, _ in steps), stubs, nothing)
    ]
    return bars("Annotated share of the public API (distributions)", rows)


def _table(reviews: Sequence[Review]) -> str:
    heads = (
        ("package", ""),
        ("verdict", ""),
        ("score", "number"),
        ("licence", ""),
        ("size", "number"),
        ("public API", "number"),
        ("annotated", "number"),
        ("README", "number"),
        ("Requires-Python", ""),
        ("needed by", "number"),
    )
    head = "".join(f'<th class="{kind}">{escape(name)}</th>' for name, kind in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(_row(r) for r in reviews)}</tbody></table></div>'


def _row(review: Review) -> str:
    licence, api = review.findings.get("licence", {}), review.findings.get("api_surface", {})
    disk = (api.get("size") or {}).get("total_bytes")
    public = _sum(
        api.get("public_class_count"),
        api.get("public_function_count"),
        api.get("public_method_count"),
    )
    typed, quality = api.get("typed_share"), review.findings.get("readme", {}).get("quality")
    requires = review.findings.get("maintenance", {}).get("requires_python")
    users = review.findings.get("dependencies", {}).get("required_by")
    order = ["act", "look", "unknown", "fine"].index(review.verdict)
    return (
        f'<tr><td><a href="#{anchor(review)}">{escape(review.name)}</a> <span class="muted">{escape(review.version)}</span></td>'
        f'<td data-sort="{order}" class="{review.verdict}">{review.verdict}</td>{_number(review.score)}'
        f"<td>{escape(licence.get('spdx') or 'not known exactly')}</td>{_number(disk, size(disk))}{_number(public)}"
        f"{_number(typed, share(typed))}{_number(quality)}<td>{escape(requires or 'unknown')}</td>"
        f"{_number(None if users is None else len(users))}</tr>"
    )


def _number(value: float | None, text: str | None = None) -> str:
    if value is None:
        return '<td class="number unknown" data-sort="-1">unknown</td>'
    return f'<td class="number" data-sort="{value}">{escape(text if text is not None else f"{value}")}</td>'


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
