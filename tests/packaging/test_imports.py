"""What agents import: found in their source, and told from what is optional."""

import io
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from sqswarm.infra.bundle import bundle
from sqswarm.infra.imports import imports_of
from sqswarm.infra.project import find_project
from sqswarm.infra.requirements import Requirements
from sqswarm.schemas.errors import DeployFailed, UsageError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function: files of a project → its folder, first on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def files(**texts):
        for name, text in texts.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    return files


def names_in(made):
    archive = zipfile.ZipFile(io.BytesIO(made.archive()))
    return {n for n in archive.namelist() if n.endswith(".py") and not n.startswith("sqswarm/")}


def test_what_an_agent_imports_from_the_projects_folder_goes_in(write):
    root = write(
        pk_app__agents="from pk_schemas.letters import Letter\nfrom . import near\n",
        pk_app__near="def later():\n    import pk_single\n    from pk_space.deep import thing\n",
        pk_schemas__letters="Letter = 1\n",
        pk_schemas__unused="import not_installed_anywhere\n",
        pk_single="",
        pk_space__deep__thing="",
        pk_stranger="",
        tests__test_it="",
    )
    made = bundle(["pk_app.agents"], requirements=None, folders=[root])
    assert names_in(made) == {
        "pk_app/agents.py",
        "pk_app/near.py",
        "pk_schemas/letters.py",
        "pk_schemas/unused.py",  # packages go in whole; only what is reached is checked
        "pk_single.py",
        "pk_space/deep/thing.py",
    }
    made.check()


def test_what_was_seen_to_be_imported_goes_in_too(write):
    root = write(pk_dynamic="", pk_plugin__one="")
    made = bundle(
        ["pk_dynamic"], requirements=None, folders=[root], imported=["pk_plugin.one", "json"]
    )
    assert names_in(made) == {"pk_dynamic.py", "pk_plugin/one.py"}


def test_a_virtual_environment_in_the_project_is_not_the_projects_own(write, monkeypatch):
    root = write(pk_top="import pk_installed\n")
    packages = root / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "pk_installed.py").write_text("")
    monkeypatch.syspath_prepend(packages)
    assert names_in(bundle(["pk_top"], requirements=None, folders=[root])) == {"pk_top.py"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import not_there\n", id="top"),
        pytest.param("def late():\n    from not_there.deep import x\n", id="in-a-function"),
        pytest.param("import importlib\nimportlib.import_module('not_there')\n", id="by-its-name"),
        pytest.param("try:\n    import not_there\nfinally:\n    pass\n", id="only-finally"),
        pytest.param("try:\n    import not_there\nexcept KeyError:\n    pass\n", id="other-error"),
        pytest.param("import google_not_there.cloud as c\n", id="as"),
        pytest.param("import pk_one.missing\n", id="own-package-lacks-it"),
        pytest.param("from sqswarm.testing import MemorySwarm\n", id="not-in-functions"),
    ],
)
@pytest.mark.parametrize("on_aws", [False, True])
def test_what_functions_would_not_find_is_named_with_its_place_and_the_fix(
    write, monkeypatch, tmp_path_factory, text, on_aws
):
    root = write(pk_one____init__="", pk_one__agents=text)
    needs = Requirements((), "x86_64") if on_aws else None
    empty = tmp_path_factory.mktemp("packages")
    monkeypatch.setattr(Requirements, "installed", lambda _: empty)
    with pytest.raises(DeployFailed, match=r"pk_one/agents\.py, line \d: \w+") as caught:
        bundle(["pk_one.agents"], requirements=needs, folders=[root]).check()
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("try:\n    import nope\nexcept ImportError:\n    nope = None\n", id="try"),
        pytest.param(
            "try:\n    import json\nexcept (KeyError, ModuleNotFoundError):\n    import nope\n",
            id="fallback",
        ),
        pytest.param(
            "import contextlib\nwith contextlib.suppress(ImportError):\n    import nope\n",
            id="suppress",
        ),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nope\n", id="types"
        ),
        pytest.param("import typing as t\nif t.TYPE_CHECKING:\n    import nope\n", id="types-by-t"),
        pytest.param("if __name__ == '__main__':\n    import nope\n", id="as-a-script"),
        pytest.param(
            "import sys\nif sys.version_info < (3, 11):\n    import nope\n", id="other-python"
        ),
        pytest.param("import os\nif os.name == 'nt':\n    import nope\n", id="other-system"),
        pytest.param("try:\n    import pk_half\nexcept ImportError:\n    pass\n", id="through-own"),
        pytest.param("import boto3, json, sqswarm\nfrom os import path\n", id="always-there"),
        pytest.param("from sqswarm.schemas.errors import SwarmError\n", id="ours"),
        pytest.param("from pk_half import name\n" * 0, id="nothing"),
    ],
)
def test_what_is_optional_or_always_there_is_no_error(write, text):
    root = write(pk_two=text, pk_half="import nope\n")
    for needs in (None, Requirements((), "x86_64")):
        bundle(["pk_two"], requirements=needs, folders=[root]).check()


def test_requirements_are_what_aws_has_and_their_own_names_are_told(write, monkeypatch, tmp_path):
    packed = tmp_path / "packed"
    (packed / "space" / "part").mkdir(parents=True)
    (packed / "space" / "part" / "__init__.py").write_text("")
    (packed / "extension.abi3.so").write_text("")
    monkeypatch.setattr(Requirements, "installed", lambda _: packed)
    needs = Requirements((), "x86_64")
    root = write(pk_three="from space import part\nimport space.part.deeper, extension\n")
    bundle(["pk_three"], requirements=needs, folders=[root]).check()
    write(pk_four="from space import other\n")
    with pytest.raises(DeployFailed, match="line 1: space"):
        bundle(["pk_four"], requirements=needs, folders=[root]).check()
    write(pk_five="import jwt\n")  # installed here, and no requirement
    with pytest.raises(DeployFailed) as caught:
        bundle(["pk_five"], requirements=needs, folders=[root]).check()
    assert 'requirements = ["PyJWT"]' in caught.value.hint


def test_a_file_that_cannot_be_parsed_is_named_with_its_line(write):
    root = write(pk_six="def late():\n    import pk_broken\n", pk_broken="x = 1\ndef (:\n")
    with pytest.raises(UsageError, match=r"pk_broken\.py, line 2"):
        imports_of(["pk_six"], folders=[root])


def test_the_projects_keys_are_documented_and_a_renamed_one_says_so(tmp_path):
    from sqswarm.infra.options import _CONTAINER_FIELDS, ServerOptions
    from sqswarm.infra.project import _FIELDS

    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    for key in (*_FIELDS, *_CONTAINER_FIELDS, *ServerOptions.__dataclass_fields__):
        assert f"`{key}`" in text, key
    (tmp_path / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["a"]\ndoor = true\n')
    with pytest.raises(UsageError) as caught:
        find_project(tmp_path)
    assert "'server'" in caught.value.hint
    assert not [m for m in sys.modules if m.startswith("pk_")]  # nothing here ran an agent
