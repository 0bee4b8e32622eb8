"""Which real thing a name in a module stands for: `sp.run` after `import subprocess as sp`."""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter

# A vendored copy behaves like the original: `pip._vendor.requests.get` is `requests.get`.
_VENDOR_PREFIX = re.compile(r"^.*?\b(?:_?vendor(?:ed)?|extern|six\.moves)\.")
_BUILTINS = frozenset(dir(builtins))


class Names:
    """The imports and definitions of one module, gathered over all its scopes.

    Scopes are merged: that may miss a risky call where a name is used twice, and never
    takes a module's own function for a library's.
    """

    def __init__(self, tree: ast.Module) -> None:  # noqa: C901 - one node kind a case
        """Walk the module once for imports, definitions and parameters."""
        self._imported: dict[str, str] = {}
        self._defined: set[str] = set()
        self.constants: dict[str, ast.expr] = {}
        loops: list[tuple[int, int, str]] = []
        stores: Counter[str] = Counter()
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    for alias in names:
                        bound = alias.asname or alias.name.partition(".")[0]
                        self._imported[bound] = alias.name if alias.asname else bound
                case ast.ImportFrom(module=str(module), names=names, level=0):
                    for alias in names:
                        self._imported[alias.asname or alias.name] = f"{module}.{alias.name}"
                case ast.ImportFrom(names=names):
                    self._defined.update(alias.asname or alias.name for alias in names)
                case (
                    ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                    | ast.ClassDef(name=name)
                ):
                    self._defined.add(name)
                case ast.arg(arg=name):
                    self._defined.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    stores[name] += 1
                case ast.For(target=ast.Name(id=name), iter=values) if _is_literal(values):
                    loops.append((node.lineno, node.end_lineno or node.lineno, name))
        self._defined.update(stores)
        for node in tree.body:
            if (
                isinstance(node, ast.Assign)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                self.constants[node.targets[0].id] = node.value
        self._loops = loops

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name that an expression stands for; None when it cannot be known."""
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else None
        if not isinstance(node, ast.Name):
            return None
        if node.id in self._imported:
            return _VENDOR_PREFIX.sub("", self._imported[node.id] + ".").rstrip(".") or None
        if node.id in _BUILTINS and node.id not in self._defined:
            return node.id
        return None

    def imports_any(self, modules: frozenset[str]) -> bool:
        """Whether the module imports one of these top-level modules or something out of one."""
        return any(dotted.partition(".")[0] in modules for dotted in self._imported.values())

    def is_constant(self, node: ast.expr | None) -> bool:
        """Whether a value is fixed in the source: a literal, or a module's constant."""
        match node:
            case None | ast.Constant():
                return True
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return all(self.is_constant(part) for part in parts)
            case ast.BinOp(left=left, right=right):
                return self.is_constant(left) and self.is_constant(right)
            case ast.JoinedStr(values=parts):
                return all(
                    self.is_constant(p.value if isinstance(p, ast.FormattedValue) else p)
                    for p in parts
                )
            case ast.Name(id=name):
                # `for tool in ("npx", "npm")` leaves nothing open within the loop.
                in_loop = any(
                    start <= node.lineno <= end and name == n for start, end, n in self._loops
                )
                return in_loop or (name in self.constants and _is_literal(self.constants[name]))
        return False


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        return all(isinstance(part, ast.Constant) for part in node.elts)
    return isinstance(node, ast.Constant)
