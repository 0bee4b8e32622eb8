import io
import resource
import sys
import zipfile

import pytest

from sqswarm.infra.bundle import bundle
from sqswarm.infra.requirements import Requirements, pinned
from sqswarm.schemas.errors import DeployFailed, UsageError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package with a data file, and what must not be packed beside it."""
    folder = tmp_path / "packed_agents"
    for name, text in {
        "__init__.py": "",
        "agents.py": "X = 1\n",
        "data/words.txt": "hello\n",
        "tests/test_it.py": "",
        "__pycache__/agents.cpython-39.pyc": "old",
        ".secret": "hidden",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("packed_agents", None)


def names_in(archive):
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_the_archive_holds_our_packages_and_the_agents_with_their_data(package):
    names = names_in(bundle(["packed_agents.agents"], requirements=None).archive())
    assert {"sqswarm/schemas/naming.py", "sqswarm/workers/hosts/lambda_handler.py"} <= {*names}
    assert {"packed_agents/agents.py", "packed_agents/data/words.txt"} <= {*names}
    assert not [name for name in names if name.startswith(("sqswarm/infra", "packed_agents/tests"))]
    own = [name for name in names if name.startswith("packed_agents/")]
    assert not [name for name in own if "secret" in name or "cpython-39" in name]


def test_every_module_comes_compiled_for_this_interpreter(package):
    names = {*names_in(bundle(["packed_agents.agents"], requirements=None).archive())}
    tag = sys.implementation.cache_tag
    assert f"packed_agents/__pycache__/agents.{tag}.pyc" in names


def test_an_unchanged_tree_has_the_same_key_and_a_changed_one_another(package):
    before = bundle(["packed_agents.agents"], requirements=None)
    assert bundle(["packed_agents.agents"], requirements=None).key == before.key
    (package / "data" / "words.txt").write_text("changed\n")
    assert bundle(["packed_agents.agents"], requirements=None).key != before.key


def test_times_on_disk_do_not_count(package):
    def archive():
        return bundle(["packed_agents.agents"], requirements=None).archive()

    before = {i.filename: i.date_time for i in zipfile.ZipFile(io.BytesIO(archive())).infolist()}
    (package / "agents.py").touch()
    after = {i.filename: i.date_time for i in zipfile.ZipFile(io.BytesIO(archive())).infolist()}
    assert before == after
    assert set(after.values()) == {(1980, 1, 1, 0, 0, 0)}


def test_a_disk_without_room_is_a_clear_refusal(package):
    packed = bundle(["packed_agents.agents"], requirements=None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # what a full disk is to any user
    try:
        with pytest.raises(DeployFailed, match="cannot be packed") as refused:
            packed.archive()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "TMPDIR" in refused.value.hint


def test_a_single_file_module_can_be_packed(tmp_path, monkeypatch):
    (tmp_path / "lonely_agents.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "lonely_agents.py" in names_in(bundle(["lonely_agents"], requirements=None).archive())


def test_agents_that_come_with_sqswarm_may_be_listed(package):
    modules = ["packed_agents.agents", "sqswarm.workers.agents.map_run"]
    made = bundle(modules, requirements=None)
    made.check()
    names = names_in(made.archive())
    assert len(names) == len(set(names))
    assert "sqswarm/workers/agents/map_run.py" in names
    assert not [name for name in names if name.startswith(("sqswarm/infra", "sqswarm/testing"))]


def test_a_module_that_is_no_file_is_refused():
    with pytest.raises(UsageError, match="sys"):
        bundle(["sys"], requirements=None)


def test_requirements_change_the_key(package):
    plain = bundle(["packed_agents"], requirements=None)
    arm = bundle(["packed_agents"], requirements=Requirements((), "arm64"))
    intel = bundle(["packed_agents"], requirements=Requirements((), "x86_64"))
    extra = bundle(["packed_agents"], requirements=Requirements(("httpx",), "arm64"))
    assert len({plain.key, arm.key, intel.key, extra.key}) == 4


def test_requirements_are_pinned_with_all_that_they_require():
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in pinned(("pydantic",))}
    assert {"pydantic", "pydantic-core", "annotated-types", "typing-extensions"} <= pins
