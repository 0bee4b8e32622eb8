import pytest

from sqswarm.infra.project import find_project
from sqswarm.schemas.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "src").mkdir()

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text)
        return tmp_path

    return write


def test_the_nearest_table_above_is_read(folder):
    root = folder('[tool.sqswarm]\nagents = ["mine"]\npythonpath = ["src"]\nrequirements = ["a"]\n')
    deep = root / "src" / "deep"
    deep.mkdir()
    (deep / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    project = find_project(deep)
    assert project.modules == ("mine",)
    assert project.pythonpath == (root / "src",)
    assert project.requirements == ("a",)


@pytest.mark.parametrize(("said", "counts"), [("", True), ("metrics = false", False)])
def test_a_project_may_let_nobody_count(folder, said, counts):
    assert find_project(folder(f'[tool.sqswarm]\nagents = ["a"]\n{said}\n')).metrics is counts


def test_named_modules_replace_the_listed_ones(folder):
    root = folder('[tool.sqswarm]\nagents = ["mine"]\n')
    assert find_project(root, modules=["yours"]).modules == ("yours",)


def test_named_modules_are_enough_without_a_table(tmp_path):
    project = find_project(tmp_path, modules=["yours"])
    assert (project.modules, project.pythonpath) == (("yours",), (tmp_path,))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[tool.other]\n", "no \\[tool.sqswarm\\]", id="no-table"),
        pytest.param("[tool.sqswarm]\n", "lists no agents", id="no-agents"),
        pytest.param('[tool.sqswarm]\nagents = "mine"\n', "not a list", id="not-a-list"),
        pytest.param('[tool.sqswarm]\nagent = ["mine"]\n', "no setting 'agent'", id="misspelt"),
        pytest.param("[tool.sqswarm\n", "is not TOML", id="not-toml"),
        pytest.param("[tool]\nsqswarm = 1\n", "is not a table", id="not-a-table"),
        pytest.param(
            '[tool.sqswarm]\nagents = ["m"]\nmetrics = "no"\n', "metrics is 'no'", id="no-truth"
        ),
        pytest.param(
            '[tool.sqswarm]\nagents = ["m"]\npythonpath = ["nowhere"]\n',
            "no folder",
            id="no-folder",
        ),
    ],
)
def test_what_cannot_work_is_an_error_with_a_hint(folder, text, says):
    with pytest.raises(UsageError, match=says) as caught:
        find_project(folder(text))
    assert caught.value.hint
