# ruff: noqa: E501 - an element of the page is easier to read in one line
"""One distribution's section: everything found out about it, and what is not known."""

from __future__ import annotations

from html import escape
from typing import Any

from review import Review

from report.words import facts, share, size


def attention_items(review: Review, *, lowest: str = "low") -> str:
    """What deserves attention, each with its reason, proof and what to do."""
    wanted = {"high", "medium", "low"} if lowest == "low" else {"high", "medium"}
    return "".join(_item(a) for a in review.attention if a["severity"] in wanted)


def _item(item: dict[str, Any]) -> str:
    proof = "\n".join(item["evidence"])
    severity = escape(item["severity"])
    return (
        f'<div class="item {severity}"><span class="badge {severity}">{severity}</span> '
        f'<span class="title">{escape(item["title"])}</span>'
        f"<div>{escape(item['why'])} <b>{escape(item['what_to_do'])}</b></div>"
        + (f'<div class="evidence">{escape(proof)}</div>' if proof else "")
        + "</div>"
    )


def anchor(review: Review) -> str:
    """The section's id."""
    return "package-" + "".join(c if c.isalnum() else "-" for c in review.name.lower())


def section(review: Review) -> str:
    """Draw the collapsible section of one distribution."""
    parts = [f"<p>{escape(review.about)}</p>" if review.about else ""]
    if review.summary:
        parts.append(f"<p><b>Summary by Claude.</b> {escape(review.summary)}</p>")
    parts.append(attention_items(review) or '<p class="fine">Nothing deserves attention.</p>')
    if review.profile:
        parts.append(
            f'<p class="muted">Score: {escape("; ".join(review.profile["score_explanation"]))}</p>'
        )
    for title, draw in (
        ("licence", _licence),
        ("api_surface", _api),
        ("maintenance", _maintenance),
        ("readme", _readme),
        ("dependencies", _dependencies),
        ("installation", _installation),
        ("risk", _risk),
    ):
        heading = f"<h3>{escape(title.replace('_', ' ').capitalize())}</h3>"
        if title in review.findings:
            parts.append(heading + facts(draw(review.findings[title])))
        else:
            reason = review.errors.get(title, "no finding arrived")
            parts.append(f'{heading}<p class="unknown">unknown: {escape(reason)}</p>')
    unknowns = "".join(
        f"<li>{escape(u['agent'].replace('_', ' '))}: {escape(u['what'])}</li>"
        for u in review.unknowns
    )
    parts.append(f"<h3>Not known</h3><ul>{unknowns}</ul>" if unknowns else "")
    score = "?" if review.score is None else str(review.score)
    return (
        f'<details class="package" id="{anchor(review)}"><summary>{escape(review.name)} '
        f'<span class="muted">{escape(review.version)}</span> <span class="badge {review.verdict}">{review.verdict}</span> '
        f'<span class="muted">{score}</span></summary>{"".join(parts)}</details>'
    )


def _licence(found: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("SPDX", found["spdx"]),
        ("kind", found["category"]),
        ("how sure", f"{found['confidence']}: {found['reason']}"),
    ]
    if found["spdx"] is None:
        rows.append(("may be", found["candidates"]))
    rows += [(e["source"], e["says"]) for e in found["evidence"]]
    rows += [(f"bundled: {e['source']}", e["says"]) for e in found["bundled"]]
    return rows + [("note", note) for note in [*found["conflicts"], *found["notes"]]]


def _api(found: dict[str, Any]) -> list[tuple[str, Any]]:
    disk = found["size"] or {}
    return [
        ("import names", found["top_level_names"]),
        ("public modules", found["module_count"]),
        ("public classes", found["public_class_count"]),
        ("public functions", found["public_function_count"]),
        ("public methods", found["public_method_count"]),
        ("lines of code", found["code_lines"]),
        (
            "annotated",
            "unknown or nothing public"
            if found["typed_share"] is None
            else share(found["typed_share"]),
        ),
        ("py.typed", found["has_py_typed"]),
        ("stub files", found["stub_file_count"]),
        ("on disk", size(disk.get("total_bytes"))),
        ("native code", found["native_extensions"]),
        ("data files", found["data_file_count"]),
        ("copies of other projects", found["vendored"]),
        ("do not parse", found["unparsed"]),
    ]


def _maintenance(found: dict[str, Any]) -> list[tuple[str, Any]]:
    allowed = found["allowed_pythons"]
    return [
        ("repository", found["repository"]),
        ("homepage", found["homepage"]),
        ("documentation", found["documentation"]),
        ("changelog", found["changelog"]),
        ("issues", found["issues"]),
        ("security contact", found["security_contact"]),
        ("development status", found["development_status"]),
        ("Requires-Python", found["requires_python"]),
        ("supported Pythons it allows", allowed),
        ("Pythons in classifiers", found["classified_pythons"]),
        ("people", found["maintainers"]),
        ("release date", found["release_date"]),
        ("signs of abandonment", found["abandonment_signs"]),
    ]


def _readme(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("quality, 0 to 100", found["quality"]),
        ("lacks", found["quality_reasons"]),
        ("format", found["content_type"]),
        ("words", found["word_count"]),
        ("reading ease (Flesch)", found["reading_ease"]),
        ("code examples", found["code_example_count"]),
        ("sections", found["sections"]),
    ]


def _dependencies(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("requires", found["required"]),
        ("optional", found["optional_count"]),
        ("extras", found["extras"]),
        ("pinned exactly", found["pinned"]),
        ("with an upper bound", found["upper_bounded"]),
        ("without any bound", found["unbounded"]),
        ("direct addresses", found["direct_urls"]),
        ("required here by", found["required_by"]),
        ("missing here", found["missing"]),
        ("cycle", found["cycle"]),
    ]


def _installation(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("commands", found["console_scripts"]),
        ("plugs into", found["plugin_groups"]),
        ("start-up hooks", [f"{h['path']}: {h['code']}" for h in found["start_up_hooks"]]),
        ("built by", found["built_by"]),
        ("wheel tags", found["wheel_tags"]),
        ("installed by", found["installer"]),
    ]


def _risk(found: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [("source files checked", found["files_checked"])]
    for p in found["patterns"]:
        where = "; ".join(f"{e['path']}:{e['line']}" for e in p["examples"])
        rows.append(
            (
                f"{p['severity']}: {p['rule']}",
                f"{p['title']}: {p['count']} own, {p['vendored_count']} vendored, {p['test_count']} in tests ({where})",
            )
        )
    rows += [
        ("only in tests", f"{rule}: {count}") for rule, count in found["only_in_tests"].items()
    ]
    return rows
