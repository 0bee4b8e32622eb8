# ruff: noqa: E501 - a row of a table stays one row
"""API surface, README, maintenance, dependencies, installation: tables of small packages."""

from datetime import date

import pytest
from dependency_review.api_surface import api_surface
from dependency_review.dependencies import dependencies
from dependency_review.installation import installation
from dependency_review.maintenance import maintenance
from dependency_review.package import Environment
from dependency_review.readme import readme
from dependency_review.requirement import NotARequirementError, allows, applies, parse_requirement

PROSE = "It reads the files that you name and writes what it finds to a table. " * 12
GOOD = f"# Demo\n\n{PROSE}\n\n## Install\n\n    pip install demo\n\n## Usage\n\n```python\nimport demo\n```\nhttps://x.org/\n"


def test_public_names_are_counted_and_private_ones_are_not(package):
    source = "def a(x: int) -> int: ...\ndef _b(): ...\nclass C:\n def m(self, y): ...\n def _n(self): ...\n"
    found = api_surface(
        package(sources={"demo/__init__.py": source, "demo/_private.py": "def z(): ..."})
    )
    assert (found.public_function_count, found.public_class_count, found.public_method_count) == (
        1,
        1,
        1,
    )
    assert found.typed_share == 0.5


def test_what_a_private_module_defines_counts_when_it_is_exported(package):
    sources = {
        "demo/__init__.py": "from ._api import get\n",
        "demo/_api.py": "def get(): ...\ndef other(): ...\n",
    }
    assert api_surface(package(sources=sources)).public_function_count == 1


@pytest.mark.parametrize(
    ("source", "count"),
    [
        pytest.param("__all__ = ['a']\ndef a(): ...\ndef b(): ...", 1, id="all-limits"),
        pytest.param(
            "__all__ = make()\ndef a(): ...\ndef b(): ...", 2, id="computed-all-is-ignored"
        ),
        pytest.param(
            "try:\n def a(): ...\nexcept E:\n pass\nif X:\n def b(): ...", 2, id="conditional"
        ),
        pytest.param("", 0, id="empty"),
    ],
)
def test_public_functions_of_a_module(package, source, count):
    assert api_surface(package(sources={"demo.py": source})).public_function_count == count


def test_files_on_disk_are_sorted_by_kind(package):
    files = [
        "demo/__init__.py",
        "demo/_c.so",
        "demo/data.json",
        "demo/py.typed",
        "demo-1.0.dist-info/METADATA",
    ]
    found = api_surface(package(files=files))
    assert found.native_extensions == ["demo/_c.so"]
    assert (found.data_file_count, found.has_py_typed, found.top_level_names) == (1, True, ["demo"])
    assert found.size.total_bytes == 50


def test_without_a_file_list_sizes_are_unknown(package):
    found = api_surface(package().model_copy(update={"files": None}))
    assert found.size is None
    assert found.has_py_typed is None
    assert any("no file list" in u for u in found.unknowns)


def test_python_2_source_is_named_as_such(package):
    found = api_surface(package(sources={"demo/a.py": "print 'x'", "demo/b.py": "def f(): ..."}))
    assert found.unparsed == ["demo/a.py: looks like Python 2"]
    assert found.public_function_count == 1


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        pytest.param(GOOD, "text/markdown", {"quality": 100, "has_install": True, "code_example_count": 2}, id="good"),
        pytest.param("", None, {"present": False, "quality": 0}, id="none"),
        pytest.param("UNKNOWN", None, {"present": False, "quality": 0}, id="unknown"),
        pytest.param("# A\n```\ncode", "text/markdown", {"broken": ["a code block is never closed: the rest shows as code"]},
                     id="open-fence"),
        pytest.param("Title of it\n====\n\nText.", "text/x-rst",
                     {"broken": ["the underline of the title 'Title of it' is too short"]}, id="short-underline"),
        pytest.param("Title\n=====\n\n.. code-block:: python\n\n   x\n\nMore\n----\n", "text/x-rst",
                     {"code_example_count": 1, "sections": ["Title", "More"]}, id="rst"),
        pytest.param("```\n# not a title\n```\n# Title", "text/markdown", {"sections": ["Title"]}, id="title-in-code"),
        pytest.param("# A\n![x](img/a.png)", "text/markdown",
                     {"broken": ["1 images have relative addresses and do not show on an index"]}, id="relative-image"),
        pytest.param("# A\nIt\u00e2\u20ac\u2122s", "text/markdown", {"broken": ["it holds wrongly decoded characters"]},
                     id="mojibake"),
        pytest.param("# A\n```\nx\n```\n[b](http://c)", None, {"content_type": "text/markdown",
                     "content_type_declared": False}, id="undeclared"),
    ],
)  # fmt: skip
def test_a_readme_is_judged(package, text, kind, expected):
    headers = {"description-content-type": [kind]} if kind else {}
    found = readme(package(readme=text, headers=headers))
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("# A\nShort.", "too little prose", id="short"),
        pytest.param(
            "Dies ist ein deutscher Text und er erkl\u00e4rt nichts. " * 20,
            "not English",
            id="german",
        ),
        pytest.param("\u8fd9 \u662f \u4e00\u4e2a \u5e93\u3002 " * 60, "not English", id="chinese"),
    ],
)
def test_readability_is_unknown_where_the_formula_does_not_apply(package, text, why):
    found = readme(package(readme=text))
    assert found.reading_ease is None
    assert any(why in u for u in found.unknowns)


def test_simple_prose_reads_more_easily_than_hard_prose(package):
    hard = "The organisational implementation of interoperability considerations is necessitated by institutional policy. "
    easy, difficult = (readme(package(readme=t)).reading_ease for t in (PROSE, hard * 12))
    assert easy > 70
    assert difficult < 30


TODAY = Environment(collected_on=date(2026, 11, 21), python_version="3.11.7")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"project-url": ["Source Code, https://github.com/a/b"]}, {"repository": "https://github.com/a/b"}, id="label"),
        pytest.param({"home-page": ["https://github.com/a/b"]}, {"repository": "https://github.com/a/b"}, id="host"),
        pytest.param({"project-url": ["Whatever, https://x.org"]}, {"repository": None, "homepage": None}, id="no-label"),
        pytest.param({"requires-python": [">=3.12"]}, {"shuts_out_running_python": True, "allowed_pythons": ["3.12", "3.13", "3.14"]}, id="too-new"),
        pytest.param({"requires-python": ["!=3.0.*,>=2.7"]}, {"shuts_out_running_python": False}, id="wildcard"),
        pytest.param({"requires-python": ["about three"]}, {"shuts_out_running_python": None, "allowed_pythons": None}, id="nonsense"),
        pytest.param({"classifier": ["Development Status :: 7 - Inactive"]},
                     {"abandonment_signs": ["its classifier says 'Development Status :: 7 - Inactive'"]}, id="inactive"),
        pytest.param({"classifier": ["Programming Language :: Python :: 2.7"]},
                     {"abandonment_signs": ["its classifiers name only Python 2 (2.7)"]}, id="python-2"),
        pytest.param({"requires-python": ["<3"]}, {"abandonment_signs": ["Requires-Python allows no Python that still gets fixes"]}, id="no-python"),
        pytest.param({}, {"release_date": None, "development_status": None, "shuts_out_running_python": None}, id="empty"),
    ],
)  # fmt: skip
def test_maintenance_signals_come_from_the_metadata(package, headers, expected):
    found = maintenance(package(headers=headers, environment=TODAY))
    assert {key: getattr(found, key) for key in expected} == expected


def test_a_missing_version_is_a_metadata_problem(package):
    assert "the metadata name no version" in maintenance(package(version=None)).metadata_problems


def test_the_release_date_is_always_said_to_be_unknown(package):
    assert "release date: not part of the metadata" in maintenance(package()).unknowns


def test_requirements_are_sorted_by_how_they_bind(package):
    lines = [
        "a==1.0",
        "b>=1,<2",
        "c",
        "d ; extra == 'x'",
        "demo[x] ; extra == 'all'",
        "e @ https://x.org/e.whl",
        "!!",
    ]
    found = dependencies(package(headers={"requires-dist": lines, "provides-extra": ["x", "all"]}))
    assert (found.pinned, found.upper_bounded, found.unbounded) == (["a"], ["b"], ["c"])
    assert (found.required_count, found.optional_count, found.extras) == (4, 1, ["all", "x"])
    assert found.direct_urls == ["e @ https://x.org/e.whl"]
    assert (found.malformed, found.depends_on_itself) == (["!!"], False)


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("", True), ("python_version < '3.8'", False), ("python_version >= '3.10'", True), ("'3.12' > python_version", True),
        ("sys_platform == 'win32' and python_version >= '3'", False), ("sys_platform == 'win32' or os_name == 'posix'", True),
        ("(os_name == 'nt' or os_name == 'posix') and extra == 'a_b'", True), ("sys_platform not in 'win32 darwin'", True),
        ("what is this", True),
    ],
)  # fmt: skip
def test_markers_are_evaluated(marker, expected):
    here = {"python_version": "3.11", "sys_platform": "linux", "os_name": "posix", "extra": "a-b"}
    assert applies(marker, here) is expected


@pytest.mark.parametrize(
    ("clauses", "version", "fits"),
    [
        (">=3.9", "3.10", True), (">=3.10", "3.9", False), ("~=3.8", "3.12", True), ("~=3.8", "4.0", False),
        ("~=3.8.1", "3.9", False), ("!=3.11.*", "3.11.7", False), ("==3.*", "3.11", True), ("<4", "3.14", True),
        (">=3.9,<3.11", "3.11.0", False),
    ],
)  # fmt: skip
def test_version_clauses_are_evaluated(clauses, version, fits):
    assert allows(parse_requirement(f"python {clauses}").clauses, version) is fits


@pytest.mark.parametrize("line", ["", "!!", "a b", "a >> 1"])
def test_a_line_that_is_no_requirement_is_refused(line):
    with pytest.raises(NotARequirementError):
        parse_requirement(line)


def test_start_up_hooks_shadowed_commands_and_stray_names_are_found(package):
    found = installation(package(
        files=["demo/__init__.py", "tests/__init__.py", "../../../bin/ls"],
        pth={"demo.pth": "import demo.hook\n/some/path\n"},
        entry_points=[{"group": "console_scripts", "name": "git", "value": "demo:main"}],
    ))  # fmt: skip
    assert found.shadowed_commands == ["git", "ls"]
    assert found.common_top_level_names == ["tests"]
    assert [h.code for h in found.start_up_hooks] == ["import demo.hook"]


@pytest.mark.parametrize("agent", [api_surface, readme, maintenance, dependencies, installation])
def test_a_package_without_anything_yields_a_finding_and_not_an_error(package, agent):
    bare = package(version=None).model_copy(update={"files": None, "installed": False})
    assert agent(bare).unknowns
