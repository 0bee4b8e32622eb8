"""How much there is to use, how much of it is typed, and what lies on the disk."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import PurePosixPath

from dependency_review.package import Finding, Package, attention
from dependency_review.source import is_metadata, is_test, modules, unread, vendored
from sqswarm import agent

NATIVE = (".so", ".pyd", ".dll", ".dylib", ".a")


class ApiSurfaceFinding(Finding):
    """Counts of the package's own code, without tests and vendored copies. None: unknown."""

    public_classes: int | None = None
    public_functions: int | None = None
    typed_share: float | None = None
    code_lines: int | None = None
    has_py_typed: bool | None = None
    stub_files: int | None = None
    python_bytes: int | None = None
    native_bytes: int | None = None
    data_bytes: int | None = None
    vendored: list[str] = []
    unparsed: list[str] = []


@agent(max_attempts=3, timeout=45, concurrency=4, topics=["packages"], memory=512, batch=1)
def api_surface(package: Package) -> ApiSurfaceFinding:
    """Measure a distribution's public classes and functions, typing, size and native code.

    Counts by syntax tree, without importing, what has a public name in a public module.
    """
    counts = Counter[str]()
    unparsed: list[str] = []
    for module in modules(package):
        if is_test(module.path) or vendored(module.path) is not None:
            continue
        lines = (line.strip() for line in module.content.splitlines())
        counts["lines"] += sum(bool(line) and line[:1] != b"#" for line in lines)
        parts = PurePosixPath(module.path).with_suffix("").parts
        counts["too large"] += module.too_large
        if module.error:
            unparsed.append(f"{module.path}: {module.error}")
        elif module.tree and not any(p[0] == "_" and p != "__init__" for p in parts):
            _count(module.tree, counts)
    files = {p: size for p, size in (package.file_sizes or {}).items() if not is_metadata(p)}
    sizes = Counter[str]()
    for path, size in files.items():
        sizes[_kind(path)] += size or 0
    copies = sorted({name for path in files if (name := _copied_project(path))})
    unknowns = unread(package)
    if counts["too large"]:
        unknowns.append(f"{counts['too large']} source files were too large to count")
    known = package.source_files_included > 0 or not unknowns
    listed = package.file_sizes is not None
    if not listed:
        unknowns.append("the installer kept no file list: its size")
    old = any("Python 2" in error for error in unparsed)
    checks = {
        "copies": copies if len(copies) > 1 else [],
        "python 2" if old else "unparsed": unparsed[:5],
    }
    return ApiSurfaceFinding(
        public_classes=counts["classes"] if known else None,
        public_functions=counts["functions"] if known else None,
        typed_share=round(counts["typed"] / counts["places"], 3) if counts["places"] else None,
        code_lines=counts["lines"] if known else None,
        has_py_typed=any(path.endswith("py.typed") for path in files) if listed else None,
        stub_files=sum(path.endswith(".pyi") for path in files) if listed else None,
        python_bytes=sizes["python"] if listed else None,
        native_bytes=sizes["native"] if listed else None,
        data_bytes=sizes["data"] if listed else None,
        vendored=copies[:30],
        unparsed=unparsed[:10],
        attention=[attention(k, len(v), evidence=v) for k, v in checks.items() if v],
        unknowns=unknowns,
    )


def _count(node: ast.AST, counts: Counter[str], *, in_class: bool = False) -> None:
    """Add what is defined under a public name, and the places in it that can be annotated."""
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", None) or ""
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(child, ast.ClassDef):
            counts["classes"] += 1
            _count(child, counts, in_class=True)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            counts["functions"] += name != "__init__"
            spec = child.args
            static = any(getattr(d, "id", "") == "staticmethod" for d in child.decorator_list)
            places = [*spec.posonlyargs, *spec.args][in_class and not static :]
            places += [*spec.kwonlyargs, *(a for a in (spec.vararg, spec.kwarg) if a)]
            typed = [a.annotation for a in places] + [child.returns] * (name != "__init__")
            counts["places"] += len(typed)
            counts["typed"] += sum(annotation is not None for annotation in typed)
        elif isinstance(child, ast.If | ast.Try | ast.ExceptHandler):
            # Definitions for one platform or version.
            _count(child, counts, in_class=in_class)


def _kind(path: str) -> str:
    if path.endswith((".py", ".pyi")):
        return "python"
    return "native" if path.endswith(NATIVE) or "/bin/" in path else "data"


def _copied_project(path: str) -> str:
    name = (vendored(path) or "").removesuffix(".py")
    return "" if name.startswith("__") or "." in name or name.endswith("-info") else name
