"""Risky patterns in a distribution's own source, with the place and the line."""

from __future__ import annotations

from collections import Counter, defaultdict

from pydantic import BaseModel

from dependency_review.advice import ADVICE
from dependency_review.package import Attention, Finding, Package, attention
from dependency_review.profile import SEVERITIES
from dependency_review.risk_scan import hidden_text, needs_scan, scan
from dependency_review.source import is_test, modules, unread, vendored
from sqswarm import agent

EXAMPLES_PER_RULE = 5
MAX_SNIPPET_CHARS = 160


class RiskyPattern(BaseModel):
    """All hits of one rule: exact counts, a few examples (`path:line: code`)."""

    rule: str
    severity: str
    count: int
    vendored_count: int
    test_count: int
    examples: list[str]


class RiskFinding(Finding):
    """Patterns in the order of severity. `files_unparsed` were not looked at."""

    patterns: list[RiskyPattern] = []
    files_checked: int = 0
    files_unparsed: list[str] = []
    only_in_tests: dict[str, int] = {}


@agent(max_attempts=3, timeout=45, concurrency=4, topics=["packages"], memory=512, batch=1)
def risk(package: Package) -> RiskFinding:
    """Find risky patterns in source: eval, unpickling, shell, TLS off, code at import.

    Works on syntax trees; names the file and line; tests are counted apart.
    """
    own, copies, tests = Counter[str](), Counter[str](), Counter[str]()
    examples: dict[str, list[str]] = defaultdict(list)
    unparsed: list[str] = []
    unknowns = unread(package)
    checked = 0
    for module in modules(package, needs_scan):
        checked += 1
        hits = hidden_text(module.content)
        if (module.error or module.too_large) and not is_test(module.path):
            unparsed.append(f"{module.path}: {module.error or 'too large'}")
        if module.tree:
            hits += scan(module.tree, module.path)
        counts = tests if is_test(module.path) else own if vendored(module.path) is None else copies
        counts.update(hit.rule for hit in hits)
        lines = module.content.decode(errors="replace").splitlines() if hits else []
        for line, rule in hits if counts is not tests else ():
            if len(examples[rule]) < EXAMPLES_PER_RULE:
                code = lines[line - 1].strip()[:MAX_SNIPPET_CHARS] if line <= len(lines) else ""
                examples[rule].append(f"{module.path}:{line}: {code}")
    if unparsed:
        unknowns.append(f"{len(unparsed)} source files could not be parsed and were not checked")
    if any(path.endswith((".so", ".pyd")) for path in package.file_sizes or {}):
        unknowns.append("compiled extensions were not looked into")
    patterns = [
        RiskyPattern(
            rule=rule,
            severity=ADVICE[rule][0],
            count=own[rule],
            vendored_count=copies[rule],
            test_count=tests[rule],
            examples=examples[rule],
        )
        for rule in own | copies
    ]
    patterns.sort(key=lambda p: (SEVERITIES.index(p.severity), -p.count, p.rule))
    return RiskFinding(
        patterns=patterns,
        files_checked=checked,
        files_unparsed=unparsed[:10],
        only_in_tests={rule: tests[rule] for rule in tests if rule not in own | copies},
        attention=[_attention(pattern) for pattern in patterns],
        unknowns=unknowns,
    )


def _attention(pattern: RiskyPattern) -> Attention:
    total = pattern.count + pattern.vendored_count
    where = f" (in {total} places)" if total > 1 else ""
    item = attention(pattern.rule, where, evidence=pattern.examples)
    if pattern.count:
        return item
    # Only in a vendored copy: the copied project's to mend, and one step less severe.
    lower = "medium" if item.severity == "high" else "low"
    title = f"{item.title}, only in vendored code"
    return item.model_copy(update={"severity": lower, "title": title})
