"""What the site's build adds to the pages: the parts that are made from code, and llms.txt.

A page says `<!-- generated: NAME -->` where such a part goes: in the repository it stays a page
that reads well, and nothing generated is kept.
"""

from __future__ import annotations

import posixpath
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cli_reference import cli_reference
from error_reference import error_reference
from llms import write_llms
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
PARTS = {"cli": cli_reference, "errors": error_reference}

BORROWED = (
    "CHANGELOG.md",
    "localstack/README.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("examples/*/README.md"))),
)
"""Documents outside of docs/ that are pages all the same."""

_PART = re.compile(r"<!-- generated: (\w+) -->")
_OUTWARD = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#]*)(#[^)]*)?\)")
_WITHIN = re.compile(r"\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)")

_pages: dict[str, str] = {}
_nav: list[Any] = []


def on_files(files: Any, config: Any) -> Any:
    """Add what is a page and does not lie in docs/, and the copy of Mermaid.

    Mermaid comes from NiceGUI's wheel, which the console needs anyway: a package of PyPI's that is
    kept up to date, in place of three megabytes in this repository.
    """
    for path in BORROWED:
        files.append(File.generated(config, _page_of(path), abs_src_path=str(ROOT / path)))
    spec = find_spec("nicegui")
    if spec is None or spec.origin is None:
        raise RuntimeError("diagrams are drawn by the Mermaid that nicegui brings: install it")
    for source in (Path(spec.origin).parent / "elements" / "mermaid" / "dist").glob("*.js"):
        name = f"site/mermaid/{source.name}"
        files.append(File.generated(config, name, abs_src_path=str(source)))
    return files


def on_nav(nav: Any, **_: Any) -> None:
    """Keep the order of the pages."""
    _nav[:] = [nav]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put in what is generated; lead links that leave docs/ to the page that is made of them."""
    home = _source_of(page.file.src_uri)
    text = _PART.sub(lambda found: PARTS[found[1]](), markdown)
    links = _WITHIN if home != f"docs/{page.file.src_uri}" else _OUTWARD
    text = links.sub(lambda found: _lead(found, home, page.file.src_uri), text)
    _pages[page.file.src_uri] = text
    return text


def on_post_build(config: Any) -> None:
    """Write llms.txt once all pages are there."""
    write_llms(
        Path(config.site_dir),
        title=config.site_name,
        about=config.site_description,
        nav=_nav[0],
        pages=_pages,
    )


def _page_of(path: str) -> str:
    """Return the page that a document outside of docs/ becomes."""
    if path == "CHANGELOG.md":
        return "changelog.md"
    return f"{Path(path).parent.as_posix()}.md"


def _source_of(page: str) -> str:
    return next((path for path in BORROWED if _page_of(path) == page), f"docs/{page}")


def _lead(found: re.Match[str], home: str, page: str) -> str:
    """Return the link as the site has it; its text alone where the site has no such page."""
    text, target, anchor = found[1], found[2], found[3] or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
    if path.startswith("docs/"):
        path = path.removeprefix("docs/")
    elif path in BORROWED or f"{path}/README.md" in BORROWED:
        path = _page_of(path if path in BORROWED else f"{path}/README.md")
    else:
        return text if text.startswith("`") else f"{text} (`{path}`)"
    return f"[{text}]({posixpath.relpath(path, posixpath.dirname(page) or '.')}{anchor})"
