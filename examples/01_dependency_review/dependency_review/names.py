"""Which real thing a name in a module stands for: `sp.run` after `import subprocess as sp`."""

from __future__ import annotations

import ast
import builtins
import re

# A vendored copy behaves like the original: `pip._vendor.requests.get` is `requests.get`.
_VENDOR = re.compile(r"^.*?\b(?:_?vendor(?:ed)?|extern|six\.moves)\.")
_BUILTINS = frozenset(dir(builtins))


class Names:
    """The imports and definitions of one module, gathered over all its scopes.

    Scopes are merged: that may miss a risky call where a name is used twice, and never
    takes a module's own function for a library's.
    """

    def __init__(self, tree: ast.Module) -> None:
        """Walk the module once for imports, definitions, and names with a fixed value."""
        self._imported: dict[str, str] = {}
        self._defined: set[str] = set()
        self._loops: list[tuple[int, int, str]] = []
        self._constants = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and _is_literal(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
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
                    | ast.arg(arg=name)
                    | ast.Name(id=name, ctx=ast.Store())
                ):
                    self._defined.add(name)
                case ast.For(target=ast.Name(id=name), iter=values) if _is_literal(values):
                    self._loops.append((node.lineno, node.end_lineno or node.lineno, name))

    def resolve(self, node: ast.AST) -> str | None:
        """The dotted name that an expression stands for; None when it cannot be known."""
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else None
        if not isinstance(node, ast.Name):
            return None
        if node.id in self._imported:
            return _VENDOR.sub("", self._imported[node.id] + ".").rstrip(".") or None
        return node.id if node.id in _BUILTINS and node.id not in self._defined else None

    def is_constant(self, node: ast.AST | None) -> bool:
        """Whether a value is fixed in the source: a literal, or a module's constant."""
        match node:
            case None | ast.Constant():
                return True
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.JoinedStr(values=parts):
                return all(self.is_constant(part) for part in parts)
            case ast.FormattedValue(value=value):
                return self.is_constant(value)
            case ast.BinOp(left=left, right=right):
                return self.is_constant(left) and self.is_constant(right)
            case ast.Name(id=name):
                # `for tool in ("npx", "npm")` leaves nothing open within the loop.
                return name in self._constants or any(
                    start <= node.lineno <= end and name == n for start, end, n in self._loops
                )
        return False


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        return all(isinstance(part, ast.Constant) for part in node.elts)
    return isinstance(node, ast.Constant)
