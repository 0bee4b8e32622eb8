# ruff: noqa: E501 - a row of a table stays one row
"""API surface, README, maintenance, dependencies, installation: tables of small packages."""

import time
from datetime import date

import pytest
from dependency_review.api_surface import api_surface
from dependency_review.dependencies import dependencies
from dependency_review.installation import installation
from dependency_review.maintenance import maintenance
from dependency_review.readme import readme

PROSE = "It reads the files that you name and writes what it finds to a table. " * 12
GOOD = f"# Demo\n\n{PROSE}\n\n## Install\n\n    pip install demo\n\n## Usage\n\n```python\nimport demo\n```\nhttps://x.org/\n"


def test_public_names_are_counted_and_private_ones_are_not(package):
    source = "def a(x: int) -> int: ...\ndef _b(): ...\nclass C:\n def m(self, y): ...\n def _n(self): ...\n"
    sources = {"demo/__init__.py": source, "demo/_private.py": "def z(): ..."}
    found = api_surface(package(sources=sources))
    assert (found.public_functions, found.public_classes, found.typed_share) == (2, 1, 0.5)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        pytest.param("try:\n def a(): ...\nexcept E:\n def c(): ...\nif X:\n def b(): ...", 3, id="conditional"),
        pytest.param("def a():\n def inner(): ...", 1, id="nested-is-not-public"),
        pytest.param("class A:\n def __init__(self): ...\n def __repr__(self): ...", 0, id="dunder"),
        pytest.param("", 0, id="empty"),
    ],
)  # fmt: skip
def test_public_functions_of_a_module(package, source, count):
    assert api_surface(package(sources={"demo.py": source})).public_functions == count


def test_files_on_disk_are_sorted_by_kind(package):
    files = [
        "demo/__init__.py",
        "demo/_c.so",
        "demo/data.json",
        "demo/py.typed",
        "demo-1.0.dist-info/METADATA",
    ]
    found = api_surface(package(files=files))
    assert (found.python_bytes, found.native_bytes, found.data_bytes) == (10, 10, 20)
    assert found.has_py_typed


def test_without_a_file_list_sizes_are_unknown(package):
    found = api_surface(package().model_copy(update={"file_sizes": None}))
    assert (found.data_bytes, found.has_py_typed) == (None, None)
    assert any("no file list" in u for u in found.unknowns)


def test_python_2_source_is_named_as_such(package):
    found = api_surface(package(sources={"demo/a.py": "print 'x'", "demo/b.py": "def f(): ..."}))
    assert found.unparsed == ["demo/a.py: looks like Python 2"]
    assert found.public_functions == 1


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        pytest.param(GOOD, set(), id="good"),
        pytest.param(GOOD.replace("pip install demo", ""), {"an installation instruction"}, id="no-install"),
        pytest.param("# Demo\n\nhttps://x.org\n```\npip install demo\n```\n", {"more than a few words"}, id="short"),
        pytest.param("Demo\n====\n\nSay::\n\n  pip install demo\n\n" + PROSE, {"a link to further documentation"}, id="rst"),
        pytest.param("Just use it. " * 40, {"sections", "an installation instruction", "a usage section or code example",
                                           "a link to further documentation"}, id="prose-only"),
    ],
)  # fmt: skip
def test_a_readme_is_judged(package, text, lacks):
    found = readme(package(readme=text))
    assert (set(found.lacks), found.quality) == (lacks, 100 - 20 * len(lacks))


@pytest.mark.parametrize("text", ["", "UNKNOWN", "  \n"])
def test_no_readme_is_pointed_out(package, text):
    found = readme(package(readme=text))
    assert (found.quality, [a.title for a in found.attention]) == (0, ["No README"])


def test_a_readme_made_to_be_slow_is_read_in_no_time(package):
    began = time.perf_counter()
    readme(package(readme="a " * 60_000 + "pip " * 30_000 + "::" * 10_000))
    assert time.perf_counter() - began < 5


TODAY = {"collected_on": date(2026, 11, 21), "python_version": "3.11.7"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"project-url": ["Source Code, https://github.com/a/b"]}, {"repository": "https://github.com/a/b"}, id="label"),
        pytest.param({"home-page": ["https://github.com/a/b"]}, {"repository": "https://github.com/a/b"}, id="host"),
        pytest.param({"project-url": ["Whatever, https://x.org"]}, {"repository": None, "homepage": None}, id="no-label"),
        pytest.param({"requires-python": [">=3.12"]}, {"supported_pythons_allowed": ["3.12", "3.13", "3.14"]}, id="too-new"),
        pytest.param({"requires-python": ["!=3.0.*,>=2.7"]}, {"supported_pythons_allowed": ["3.11", "3.12", "3.13", "3.14"]}, id="wildcard"),
        pytest.param({"requires-python": ["about three"]}, {"supported_pythons_allowed": None}, id="nonsense"),
        pytest.param({"classifier": ["Development Status :: 7 - Inactive"]},
                     {"abandonment_signs": ["its classifier says '7 - Inactive'"]}, id="inactive"),
        pytest.param({"classifier": ["Programming Language :: Python :: 2.7"]},
                     {"abandonment_signs": ["its classifiers name only Python 2 (2.7)"]}, id="python-2"),
        pytest.param({"requires-python": ["<3"]}, {"abandonment_signs": ["Requires-Python allows no Python that still gets fixes"]}, id="no-python"),
        pytest.param({}, {"development_status": None, "supported_pythons_allowed": None}, id="empty"),
    ],
)  # fmt: skip
def test_maintenance_signals_come_from_the_metadata(package, headers, expected):
    found = maintenance(package(headers=headers, **TODAY))
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("requires", "shut_out"), [(">=3.12", True), ("!=3.0.*,>=2.7", False), ("about three", False), (">=3.11.7", False)]
)  # fmt: skip
def test_a_python_that_is_shut_out_is_pointed_out(package, requires, shut_out):
    found = maintenance(package(headers={"requires-python": [requires]}, **TODAY))
    assert shut_out == (
        "Does not support the Python it is installed in" in [a.title for a in found.attention]
    )


def test_a_missing_version_is_pointed_out(package):
    assert "Its metadata names no version" in [
        a.title for a in maintenance(package(version=None)).attention
    ]


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
    assert (found.required, found.extras) == (["a", "b", "c", "e"], ["all", "x"])
    assert found.direct_urls == ["e @ https://x.org/e.whl"]
    assert ["!!"] in [a.evidence for a in found.attention]


def test_start_up_hooks_shadowed_commands_and_stray_names_are_found(package):
    found = installation(package(
        files=["demo/__init__.py", "tests/__init__.py", "../../../bin/ls"],
        pth={"demo.pth": "import demo.hook\n/some/path\n"},
        console_scripts=["git"],
    ))  # fmt: skip
    assert found.shadowed_commands == ["git", "ls"]
    assert found.common_top_level_names == ["tests"]
    assert found.start_up_hooks == ["demo.pth: import demo.hook"]


@pytest.mark.parametrize("agent", [api_surface, readme, maintenance, dependencies, installation])
def test_a_package_without_anything_yields_a_finding_and_not_an_error(package, agent):
    bare = package(version=None).model_copy(update={"file_sizes": None, "installed": False})
    assert agent(bare).unknowns
