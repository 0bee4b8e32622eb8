"""Risky patterns in a distribution's own source, with the place and the line."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from dependency_review.package import (
    Confidence,
    Finding,
    Frozen,
    Package,
    Severity,
    SourceFile,
    is_vendored_path,
)
from dependency_review.risk_rules import RULES, Hit
from dependency_review.risk_scan import hidden_text, needs_scan, scan
from dependency_review.source import Unparsed, parse, text_lines
from sqswarm import agent

EXAMPLES_PER_RULE = 5
MAX_SNIPPET_CHARS = 160
MAX_PARSED_BYTES = 16 * 1024 * 1024


class RiskExample(Frozen):
    """One place in the source."""

    path: str
    line: int
    snippet: str
    confidence: Confidence
    vendored: bool = False


class RiskyPattern(Frozen):
    """All hits of one rule: exact counts, a few examples."""

    rule: str
    severity: Severity
    title: str
    advice: str
    count: int
    vendored_count: int = 0
    test_count: int = 0
    examples: list[RiskExample] = Field(default_factory=list)


class RiskFinding(Finding):
    """Patterns in the order of severity. `files_unparsed` were not looked at."""

    patterns: list[RiskyPattern] = Field(default_factory=list)
    files_checked: int = 0
    files_unparsed: list[str] = Field(default_factory=list)
    only_in_tests: dict[str, int] = Field(default_factory=dict)


class _Hits:
    """Hits by rule while files stream past."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.vendored: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self.examples: dict[str, list[RiskExample]] = {}

    def add(self, source: SourceFile, hits: list[Hit]) -> None:
        lines: list[str] | None = None
        for hit in hits:
            if source.is_test:
                self.tests[hit.rule] += 1
                continue
            vendored = is_vendored_path(source.path)
            (self.vendored if vendored else self.own)[hit.rule] += 1
            examples = self.examples.setdefault(hit.rule, [])
            if len([e for e in examples if e.vendored == vendored]) >= EXAMPLES_PER_RULE:
                continue
            lines = lines if lines is not None else text_lines(source.content)
            snippet = (
                lines[hit.line - 1].strip()[:MAX_SNIPPET_CHARS] if hit.line <= len(lines) else ""
            )
            examples.append(
                RiskExample(
                    path=source.path,
                    line=hit.line,
                    snippet=snippet,
                    confidence=hit.confidence,
                    vendored=vendored,
                )
            )


@agent(max_attempts=3, timeout=45, concurrency=4, topics=["packages"], memory=512, batch=1)
def risk(package: Package) -> RiskFinding:
    """Find risky patterns in source: eval, unpickling, shell, TLS off, code at import.

    Works on syntax trees; names the file and line; tests are counted apart.
    """
    return find_risk(package)


def find_risk(package: Package) -> RiskFinding:
    """Scan every file that could hold a risky pattern; count exactly, show a few."""
    hits = _Hits()
    unparsed: list[str] = []
    unknowns = package.source_unknowns()
    checked = 0
    budget_bytes = MAX_PARSED_BYTES
    for source in package.sources():
        checked += 1
        hits.add(source, hidden_text(source.content))
        if not needs_scan(source.content):
            continue
        budget_bytes -= len(source.content)
        if budget_bytes < 0:
            unknowns.append(
                f"stopped after {MAX_PARSED_BYTES // 1024 // 1024} MiB of candidate source"
            )
            break
        tree = parse(source.content)
        if isinstance(tree, Unparsed):
            if not source.is_test:
                unparsed.append(f"{source.path}: {tree.reason}")
            continue
        hits.add(source, scan(tree, source.path))
    if unparsed:
        unknowns.append(f"{len(unparsed)} source files could not be parsed and were not checked")
    if package.installed and any(f.path.endswith((".so", ".pyd")) for f in package.files or []):
        unknowns.append("compiled extensions were not looked into")
    return RiskFinding(
        patterns=_patterns(hits),
        files_checked=checked,
        files_unparsed=unparsed[:10],
        unknowns=unknowns,
        only_in_tests={
            r: n for r, n in sorted(hits.tests.items()) if not hits.own[r] + hits.vendored[r]
        },
    )


def _patterns(hits: _Hits) -> list[RiskyPattern]:
    order = ("high", "medium", "low")
    found = [name for name in RULES if hits.own[name] + hits.vendored[name]]
    found.sort(key=lambda name: (order.index(RULES[name].severity), -hits.own[name]))
    return [
        RiskyPattern(
            rule=name,
            severity=RULES[name].severity,
            title=RULES[name].title,
            advice=RULES[name].advice,
            count=hits.own[name],
            vendored_count=hits.vendored[name],
            test_count=hits.tests[name],
            # The package's own code first: the copies are somebody else's to mend.
            examples=sorted(hits.examples[name], key=lambda e: e.vendored)[:EXAMPLES_PER_RULE],
        )
        for name in found
    ]
