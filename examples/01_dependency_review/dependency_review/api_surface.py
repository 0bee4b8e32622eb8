"""How much there is to use, how much of it is typed, and what lies on the disk."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import NamedTuple

from pydantic import Field

from dependency_review.package import (
    Finding,
    Frozen,
    InstalledFile,
    Package,
    is_metadata_path,
    is_test_path,
    is_vendored_path,
)
from dependency_review.source import Unparsed, parse
from sqswarm import agent

MAX_PARSED_BYTES = 24 * 1024 * 1024
NATIVE_SUFFIXES = (".so", ".pyd", ".dll", ".dylib", ".a")
MAX_NAMED = 10


class SizeOnDisk(Frozen):
    """Bytes by kind; files whose size could not be read count as nothing."""

    total_bytes: int = 0
    python_bytes: int = 0
    native_bytes: int = 0
    data_bytes: int = 0


class ApiSurfaceFinding(Finding):
    """Counts of the package's own code, without tests and vendored copies. None: not analysed."""

    top_level_names: list[str] = Field(default_factory=list)
    module_count: int | None = None
    public_class_count: int | None = None
    public_function_count: int | None = None
    public_method_count: int | None = None
    code_lines: int | None = None
    test_code_lines: int | None = None
    typed_share: float | None = None
    has_py_typed: bool | None = None
    stub_file_count: int | None = None
    size: SizeOnDisk | None = None
    native_extensions: list[str] = Field(default_factory=list)
    data_file_count: int | None = None
    vendored: list[str] = Field(default_factory=list)
    unparsed: list[str] = Field(default_factory=list)
    unparsed_count: int = 0


class _Definition(NamedTuple):
    """A class or function with what it adds to the counts."""

    name: str
    is_class: bool
    methods: int
    slots: int
    annotated: int


class _Tally:
    """Running counts over the modules of one package."""

    def __init__(self) -> None:
        self.modules = self.classes = self.functions = self.methods = 0
        self.slots = self.annotated = self.code_lines = self.test_lines = 0
        self.unparsed: list[str] = []
        # Many packages define things in private modules and export them from a public one.
        self.private: list[_Definition] = []
        self.exported: set[str] = set()

    def add(self, found: _Definition) -> None:
        self.classes += found.is_class
        self.functions += not found.is_class
        self.methods += found.methods
        self.slots += found.slots
        self.annotated += found.annotated

    def add_exported(self) -> None:
        for found in {d.name: d for d in self.private if d.name in self.exported}.values():
            self.add(found)


@agent(max_attempts=3, timeout=45, concurrency=4, topics=["packages"], memory=512, batch=1)
def api_surface(package: Package) -> ApiSurfaceFinding:
    """Measure a distribution's public API, typing, size on disk and native code.

    Counts public modules, classes, functions and methods by syntax tree, without importing.
    """
    return find_api_surface(package)


def find_api_surface(package: Package) -> ApiSurfaceFinding:
    """Count what users can reach; source over the limit is sized and not analysed."""
    unknowns = package.source_unknowns()
    files = package.files
    if files is None and package.installed:
        unknowns.append("the installer kept no file list: sizes and data files are unknown")
    own = [f for f in files or [] if not is_metadata_path(f.path)]
    tally, analysed = _count(package, unknowns)
    stubs = sum(f.path.endswith(".pyi") for f in own)
    native = [f.path for f in own if f.path.endswith(NATIVE_SUFFIXES)]
    figures = analysed and (tally.modules or not unknowns)
    return ApiSurfaceFinding(
        top_level_names=_top_level(package, own),
        module_count=tally.modules if figures else None,
        public_class_count=tally.classes if figures else None,
        public_function_count=tally.functions if figures else None,
        public_method_count=tally.methods if figures else None,
        code_lines=tally.code_lines if figures else None,
        test_code_lines=tally.test_lines if figures else None,
        typed_share=round(tally.annotated / tally.slots, 3) if tally.slots else None,
        has_py_typed=None
        if files is None
        else any(PurePosixPath(f.path).name == "py.typed" for f in own),
        stub_file_count=None if files is None else stubs,
        size=None if files is None else _size(files),
        native_extensions=sorted(native)[:MAX_NAMED],
        data_file_count=None if files is None else sum(_is_data(f.path) for f in own),
        vendored=sorted({_vendored_root(f.path) for f in own if is_vendored_path(f.path)} - {""})[
            : MAX_NAMED * 3
        ],
        unparsed=tally.unparsed[:MAX_NAMED],
        unparsed_count=len(tally.unparsed),
        unknowns=unknowns,
    )


def _count(package: Package, unknowns: list[str]) -> tuple[_Tally, bool]:
    tally = _Tally()
    budget_bytes = MAX_PARSED_BYTES
    for source in package.sources():
        if is_vendored_path(source.path):
            continue
        lines = _code_lines(source.content)
        if source.is_test:
            tally.test_lines += lines
            continue
        tally.code_lines += lines
        budget_bytes -= len(source.content)
        if budget_bytes < 0:
            unknowns.append(
                f"API not analysed: more than {MAX_PARSED_BYTES // 1024 // 1024} MiB of source"
            )
            return tally, False
        tree = parse(source.content)
        if isinstance(tree, Unparsed):
            tally.unparsed.append(f"{source.path}: {tree.reason}")
            continue
        public = _is_public_module(source.path)
        tally.modules += public
        _count_module(tree, tally, public=public)
    tally.add_exported()
    return tally, True


def _code_lines(content: bytes) -> int:
    """Lines that are neither empty nor a comment; docstrings count."""
    return sum(
        1 for line in content.splitlines() if line.strip() and not line.lstrip().startswith(b"#")
    )


def _is_public_module(path: str) -> bool:
    parts = PurePosixPath(path).with_suffix("").parts
    return not any(p.startswith("_") and p != "__init__" for p in parts) and ".." not in parts


def _count_module(tree: ast.Module, tally: _Tally, *, public: bool) -> None:
    exported = _exported(tree)
    if public and exported:
        # Also what arrives through `from ._client import *`.
        tally.exported |= exported
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = _definition(node)
            if not public:
                tally.private.append(found)
            elif node.name in exported if exported is not None else not node.name.startswith("_"):
                tally.add(found)
        elif public and isinstance(node, ast.ImportFrom):
            # From elsewhere or from its own private modules: only the latter match a definition.
            names = {alias.asname or alias.name for alias in node.names}
            tally.exported |= (
                names & exported if exported is not None else {n for n in names if n[0] != "_"}
            )


def _definition(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> _Definition:
    if not isinstance(node, ast.ClassDef):
        slots, annotated = _annotations(node, is_method=False)
        return _Definition(node.name, is_class=False, methods=0, slots=slots, annotated=annotated)
    methods = slots = annotated = 0
    for member in _statements(node.body):
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and (
            not member.name.startswith("_") or member.name == "__init__"
        ):
            methods += member.name != "__init__"
            more_slots, more_annotated = _annotations(member, is_method=True)
            slots, annotated = slots + more_slots, annotated + more_annotated
    return _Definition(node.name, is_class=True, methods=methods, slots=slots, annotated=annotated)


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements with those under `if` and `try`: definitions for one platform or version."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If):
            found += _statements(node.body) + _statements(node.orelse)
        elif isinstance(node, ast.Try):
            found += _statements(node.body) + [
                s for h in node.handlers for s in _statements(h.body)
            ]
        else:
            found.append(node)
    return found


def _exported(tree: ast.Module) -> set[str] | None:
    """The names in a literal `__all__`; None where there is none or it is computed."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            try:
                return set(ast.literal_eval(node.value))  # type: ignore[attr-defined]
            except (ValueError, TypeError):
                return None
    return None


def _annotations(
    function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool
) -> tuple[int, int]:
    """Count the places that can be annotated (parameters but self, return), and those that are."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    is_static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    if is_method and not is_static:
        positional = positional[1:]
    places = [*positional, *spec.kwonlyargs, *(a for a in (spec.vararg, spec.kwarg) if a)]
    returns = function.name != "__init__"
    annotated = sum(a.annotation is not None for a in places) + (
        returns and function.returns is not None
    )
    return len(places) + returns, annotated


def _top_level(package: Package, own: list[InstalledFile]) -> list[str]:
    """Names that can be imported, from the file list, else from what the packager wrote."""
    names = set()
    for file in own:
        first, _, rest = file.path.partition("/")
        if first in {"..", "bin", "__pycache__"} or first.endswith((".data", ".pth")):
            continue
        if rest and file.path.endswith((".py", ".pyi", *NATIVE_SUFFIXES)):
            names.add(first)
        elif not rest and first.endswith((".py", ".pyd", ".so")):
            names.add(first.split(".")[0])
    plain = {n for n in names if n.isidentifier() or n.endswith("-stubs")}
    return sorted(plain or set(package.top_level))


def _size(files: list[InstalledFile]) -> SizeOnDisk:
    sizes = {"python": 0, "native": 0, "data": 0}
    for file in files:
        kind = (
            "python"
            if file.path.endswith((".py", ".pyi"))
            else "native"
            if (file.path.endswith(NATIVE_SUFFIXES) or "/bin/" in file.path)
            else "data"
        )
        sizes[kind] += file.size_bytes or 0
    return SizeOnDisk(
        total_bytes=sum(sizes.values()),
        python_bytes=sizes["python"],
        native_bytes=sizes["native"],
        data_bytes=sizes["data"],
    )


def _is_data(path: str) -> bool:
    return not (
        path.endswith((".py", ".pyi", ".pth", "py.typed", *NATIVE_SUFFIXES))
        or is_test_path(path)
        or path.startswith("..")
    )


def _vendored_root(path: str) -> str:
    """The name of the copied project: the part after `_vendor`."""
    parts = PurePosixPath(path).parts
    for place, part in enumerate(parts[:-1]):
        if is_vendored_path(f"{part}/") and place + 1 < len(parts):
            name = parts[place + 1].removesuffix(".py")
            return "" if name.startswith("__") or "." in name or name.endswith("-info") else name
    return ""
