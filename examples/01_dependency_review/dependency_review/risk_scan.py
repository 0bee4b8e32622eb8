"""Walking one module for risky patterns, knowing what runs at import and what only when called."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from dependency_review.names import Names
from dependency_review.risk_rules import (
    DECODING_MODULES,
    NETWORK_CALLS,
    PROCESS_CALLS,
    TRIGGER,
    Hit,
    check_call,
    check_tar_block,
    is_decoding,
)

_TRIGGER = re.compile(TRIGGER)
# Bidirectional overrides. Source: CVE-2021-42574, 'Trojan Source'.
_BIDI = re.compile(rb"\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
# Programs, not modules that something imports.
_SCRIPTS = frozenset({"__main__.py", "setup.py", "conftest.py"})


def needs_scan(content: bytes) -> bool:
    """Whether any rule could apply: a cheap test that spares most files the parser."""
    return bool(_TRIGGER.search(content))


def hidden_text(content: bytes) -> list[Hit]:
    """Lines with characters that make an editor show another order than Python reads."""
    if content.isascii() or not _BIDI.search(content):
        return []
    return [
        Hit("hidden-text", number, "high")
        for number, line in enumerate(content.split(b"\n"), 1)
        if _BIDI.search(line)
    ]


def scan(tree: ast.Module, path: str) -> list[Hit]:
    """Every hit in a module, in the order of lines."""
    visitor = _Scan(tree, is_script=PurePosixPath(path).name in _SCRIPTS)
    visitor.visit(tree)
    return sorted({*visitor.hits, *visitor.import_time_hits()}, key=lambda h: (h.line, h.rule))


class _Scan(ast.NodeVisitor):
    def __init__(self, tree: ast.Module, *, is_script: bool) -> None:
        self.hits: list[Hit] = []
        self._names = Names(tree)
        self._may_decode = self._names.imports_any(DECODING_MODULES)
        self._is_script = is_script
        self._functions: list[str] = []
        self._decoded: list[set[str]] = [set()]
        # What module-level code calls, and which local functions start processes or connections.
        self._called_at_import: list[tuple[str, int]] = []
        self._reaching: dict[str, str] = {}

    def import_time_hits(self) -> list[Hit]:
        """Calls at import of local functions that themselves start a process or a connection."""
        return [
            Hit(self._reaching[name], line, "medium")
            for name, line in self._called_at_import
            if name in self._reaching
        ]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._functions.append("<lambda>")
        self.generic_visit(node)
        self._functions.pop()

    def _enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions.append(node.name)
        self._decoded.append(set())
        self.generic_visit(node)
        self._decoded.pop()
        self._functions.pop()

    def visit_If(self, node: ast.If) -> None:
        if self._is_main_guard(node.test):
            # Users of the package never run what is under `if __name__ == "__main__"`.
            for statement in node.orelse:
                self.visit(statement)
            return
        self.generic_visit(node)

    def _is_main_guard(self, test: ast.expr) -> bool:
        return any(
            isinstance(n, ast.Name) and n.id in {"__name__", "TYPE_CHECKING"}
            for n in ast.walk(test)
        )

    def visit_With(self, node: ast.With) -> None:
        self.hits += check_tar_block(node, self._names)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if self._may_decode and any(
            is_decoding(part, self._names) for part in ast.walk(node.value)
        ):
            self._decoded[-1].update(t.id for t in node.targets if isinstance(t, ast.Name))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.hits += check_call(node, self._names, self._decoded[-1])
        name = self._names.resolve(node.func)
        rule = (
            "process-at-import"
            if name in PROCESS_CALLS
            else "network-at-import"
            if name in NETWORK_CALLS
            else None
        )
        at_import = not self._functions and not self._is_script
        if rule and at_import:
            self.hits.append(Hit(rule, node.lineno, "high"))
        elif rule and len(self._functions) == 1:
            self._reaching.setdefault(self._functions[0], rule)
        if at_import and isinstance(node.func, ast.Name):
            self._called_at_import.append((node.func.id, node.lineno))
        self.generic_visit(node)
