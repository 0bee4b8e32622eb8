"""Imports: what agents import, read from their source before anything is deployed.

Followed through the project's own files, also into functions, because a module that is missing
there would be found by a task, hours later, on AWS. What is meant to be optional is left alone:
imports under `try … except ImportError`, `suppress(ImportError)`, `TYPE_CHECKING`, a test of the
platform or Python's version, and `if __name__ == "__main__"`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import all_suffixes
from importlib.util import find_spec
from pathlib import Path

from sqswarm.schemas.errors import UsageError

_NOT_OURS = frozenset({"site-packages", "dist-packages"})
_CATCHES_IMPORT_ERROR = frozenset(
    {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
)
_PLATFORM_TESTS = frozenset({"version_info", "platform", "implementation", "name"})


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import as it stands in a file: `import module`, or `from module import name`."""

    module: str
    name: str | None
    file: Path
    line: int

    @property
    def top(self) -> str:
        """Return the first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the module's parts, and the name: it may be a module too."""
        return (*self.module.split("."), *([self.name] if self.name else []))


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What modules import: top-level names of the project's own, and the rest, one place each."""

    own: frozenset[str]
    others: tuple[Import, ...]
    lost: tuple[Import, ...]
    """Modules that the project's own packages do not have."""


def imports_of(modules: Iterable[str], *, folders: Sequence[Path]) -> Imports:
    """Return what `modules` import; what lies below `folders` (no venv) is the project's own.

    The modules themselves are, wherever they lie. Raises UsageError for a file that cannot be
    parsed, at its line.
    """
    return _Walk(frozenset(m.partition(".")[0] for m in modules), tuple(folders)).run(modules)


def locations(name: str, folders: Sequence[Path] | None = None) -> list[Path]:
    """Return where a top-level module lies: a file, or folders; only below `folders` if given."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # `__main__`, or a module made by hand
        return []
    if spec is None:
        return []
    found = [Path(p) for p in spec.submodule_search_locations or ()]
    if not found and spec.has_location and spec.origin:
        found = [Path(spec.origin)]
    if folders is None:
        return found
    return [path for path in found if any(_below(path, folder) for folder in folders)]


def is_there(parts: Sequence[str], places: Iterable[Path]) -> bool:
    """Whether a module can be imported from one of the folders `places`.

    Looks no deeper than to the first module or regular package: beyond it, code decides.
    """
    for place in places:
        path = place
        for part in parts:
            path /= part
            if (path / "__init__.py").is_file() or _module_files(path):
                return True
            if not path.is_dir():
                break
        else:
            return True
    return False


def _below(path: Path, folder: Path) -> bool:
    try:
        parts = path.resolve().relative_to(folder.resolve()).parts
    except ValueError:
        return False
    return not _NOT_OURS & {*parts}


def _module_files(path: Path) -> bool:
    return any(path.with_name(path.name + suffix).is_file() for suffix in all_suffixes())


@dataclass
class _Walk:
    """One walk through a project's files."""

    roots: frozenset[str]
    folders: tuple[Path, ...]
    own: dict[str, list[Path]] = field(default_factory=dict)
    others: dict[str, Import] = field(default_factory=dict)
    lost: dict[str, Import] = field(default_factory=dict)
    seen: set[tuple[Path, bool]] = field(default_factory=set)
    left: list[tuple[str, Path, bool]] = field(default_factory=list)

    def run(self, modules: Iterable[str]) -> Imports:
        for module in modules:
            self._follow(Import(module=module, name=None, file=Path(), line=0), optional=False)
        while self.left:
            module, file, optional = self.left.pop()
            if {(file, optional), (file, False)} & self.seen:
                continue
            self.seen.add((file, optional))
            package = module if file.stem == "__init__" else module.rpartition(".")[0]
            for found, guarded in _imports_in(file, package):
                self._follow(found, optional=optional or guarded)
        return Imports(
            own=frozenset(name for name, places in self.own.items() if places),
            others=tuple(self.others.values()),
            lost=tuple(self.lost.values()),
        )

    def _follow(self, found: Import, *, optional: bool) -> None:
        places = self._own(found.top)
        if not places:
            if not optional and found.top not in sys.stdlib_module_names:
                self.others.setdefault(".".join(found.parts), found)
            return
        parts = found.parts
        if places[0].is_file():
            self.left.append((found.top, places[0], optional))
            return
        for length in range(1, len(parts) + 1):
            paths = [place.joinpath(*parts[1:length]) for place in places]
            files = [f for path in paths for f in (path / "__init__.py", path.with_suffix(".py"))]
            file = next((f for f in files if f.is_file()), None)
            if file is not None:
                self.left.append((".".join(parts[:length]), file, optional))
                if file.stem != "__init__":
                    return  # what follows is a name within the module
            elif not any(path.is_dir() or _module_files(path) for path in paths):
                if length <= found.module.count(".") + 1 and not optional:
                    self.lost.setdefault(found.module, found)
                return

    def _own(self, top: str) -> list[Path]:
        if top == "sqswarm":
            return []
        if top not in self.own:
            self.own[top] = locations(top, None if top in self.roots else self.folders)
        return self.own[top]


def _imports_in(file: Path, package: str) -> Iterator[tuple[Import, bool]]:
    """Yield the imports in a file, and whether each is guarded."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except SyntaxError as error:
        message = f"{file}, line {error.lineno}: {error.msg}"
        raise UsageError(message, hint="Mend the line that the message names.") from error
    reader = _Reader(file, package)
    reader.visit(tree)
    yield from reader.found


class _Reader(ast.NodeVisitor):
    """Collects the imports of one module."""

    def __init__(self, file: Path, package: str) -> None:
        self.found: list[tuple[Import, bool]] = []
        self._file = file
        self._package = package
        self._guards = 0

    def _add(self, node: ast.stmt | ast.expr, module: str, name: str | None = None) -> None:
        found = Import(module=module, name=name, file=self._file, line=node.lineno)
        self.found.append((found, self._guards > 0))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self._package.split(".")
            above = parents[: len(parents) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        for alias in node.names:
            self._add(node, base, None if alias.name == "*" else alias.name)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)
        if name in {"import_module", "__import__"} and node.args:
            given = node.args[0]
            module = given.value if isinstance(given, ast.Constant) else None
            if isinstance(module, str) and not module.startswith("."):
                self._add(node, module)
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        if any(h.type is None or _names(h.type) & _CATCHES_IMPORT_ERROR for h in node.handlers):
            self._guarded([*node.body, *node.handlers])
            self._visit([*node.orelse, *node.finalbody])
        else:
            self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        names = set[str]().union(*(_names(item.context_expr) for item in node.items))
        if "suppress" in names and names & _CATCHES_IMPORT_ERROR:
            self._guarded(node.body)
        else:
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        names = _names(node.test)
        if "TYPE_CHECKING" in names or "__name__" in names:
            self._visit(node.orelse)
        elif names & {"sys", "os", "platform"} and names & _PLATFORM_TESTS:
            self._guarded([*node.body, *node.orelse])
        else:
            self.generic_visit(node)

    def _visit(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _guarded(self, nodes: Iterable[ast.AST]) -> None:
        self._guards += 1
        self._visit(nodes)
        self._guards -= 1


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.AST) -> set[str]:
    """Return every name and attribute in an expression."""
    inner = list(ast.walk(node))
    return {n.id for n in inner if isinstance(n, ast.Name)} | {
        n.attr for n in inner if isinstance(n, ast.Attribute)
    }
