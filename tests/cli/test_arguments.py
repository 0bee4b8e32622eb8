import pytest

from sqswarm.infra.cli.arguments import merged_schema, parse_arguments, read_json_file
from sqswarm.schemas.errors import InvalidArguments, UsageError

SCHEMA = {
    "properties": {
        "text": {"type": "string"},
        "top": {"type": "integer"},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "counts": {"type": "array", "items": {"type": "integer"}},
        "options": {"type": "object"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "nested": {"$ref": "#/$defs/Nested"},
        "colour": {"enum": ["red", "green"]},
        "anything": {},
    },
    "$defs": {"Nested": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        pytest.param(["text=5"], {"text": "5"}, id="text-stays-text"),
        pytest.param(["text=a=b"], {"text": "a=b"}, id="only-the-first-sign-counts"),
        pytest.param(["text="], {"text": ""}, id="empty"),
        pytest.param(["top=5"], {"top": 5}, id="integer"),
        pytest.param(["ratio=5"], {"ratio": 5}, id="a-whole-number-is-a-number"),
        pytest.param(["ratio=0.5"], {"ratio": 0.5}, id="number"),
        pytest.param(["deep=true"], {"deep": True}, id="true"),
        pytest.param(["deep=No"], {"deep": False}, id="no"),
        pytest.param(["tags=a", "tags=b"], {"tags": ["a", "b"]}, id="list-by-repetition"),
        pytest.param(["tags=a"], {"tags": ["a"]}, id="list-of-one"),
        pytest.param(["counts=1", "counts=2"], {"counts": [1, 2]}, id="list-of-integers"),
        pytest.param(['tags=["a","b"]'], {"tags": ["a", "b"]}, id="list-as-json"),
        pytest.param(['options={"a":1}'], {"options": {"a": 1}}, id="object"),
        pytest.param(['nested={"a":1}'], {"nested": {"a": 1}}, id="reference"),
        pytest.param(["maybe=3"], {"maybe": 3}, id="optional"),
        pytest.param(["maybe=null"], {"maybe": None}, id="null"),
        pytest.param(["either=3"], {"either": 3}, id="the-narrower-type-first"),
        pytest.param(["either=x"], {"either": "x"}, id="else-text"),
        pytest.param(["colour=red"], {"colour": "red"}, id="enum"),
        pytest.param(["anything=5"], {"anything": "5"}, id="untyped-is-text"),
        pytest.param(["unknown=5"], {"unknown": "5"}, id="unknown-is-left-to-the-dispatcher"),
        pytest.param(['text:={"a":[1]}'], {"text": {"a": [1]}}, id="json-whatever-the-schema"),
    ],
)
def test_a_pair_becomes_what_the_schema_wants(pairs, expected):
    assert parse_arguments(pairs, SCHEMA) == expected


def test_an_at_sign_reads_a_file(tmp_path):
    (tmp_path / "note.txt").write_text("a\nb")
    (tmp_path / "rows.json").write_text("[1, 2]")
    pairs = [f"text=@{tmp_path}/note.txt", f"counts=@{tmp_path}/rows.json"]
    assert parse_arguments(pairs, SCHEMA) == {"text": "a\nb", "counts": [1, 2]}


@pytest.mark.parametrize(
    ("pairs", "error", "says"),
    [
        pytest.param(["text"], UsageError, "not an argument", id="no-sign"),
        pytest.param(["=x"], UsageError, "not an argument", id="no-name"),
        pytest.param(["top=x"], InvalidArguments, "not integer", id="wrong-type"),
        pytest.param(["top=1.5"], InvalidArguments, "not integer", id="fraction"),
        pytest.param(["deep=perhaps"], InvalidArguments, "not boolean", id="no-truth"),
        pytest.param(["top:=x"], UsageError, "is not JSON", id="no-json"),
        pytest.param(["top:=1e999"], UsageError, "finite number", id="1e999"),
        pytest.param([f"top:={'[' * 999}"], UsageError, "deeper than", id="nested"),
        pytest.param(['top:="\\ud800"'], UsageError, "lone surrogate", id="surrogate"),
        pytest.param(["text=a", "text=b"], UsageError, "given twice", id="twice"),
        pytest.param(["text=@/no/such/file"], UsageError, "No such file", id="no-file"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_a_hint(pairs, error, says):
    with pytest.raises(error, match=says) as caught:
        parse_arguments(pairs, SCHEMA)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_an_event_is_read_with_the_arguments_of_all_its_listeners():
    first = {"properties": {"a": {"type": "integer"}}}
    second = {"properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}}
    merged = merged_schema([first, second])
    assert parse_arguments(["a=1", "b=true"], merged) == {"a": 1, "b": True}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "c": 2, "a": 1}}]'])
def test_a_name_that_is_given_twice_is_refused(text, tmp_path):
    file = tmp_path / "arguments.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="the name 'a' twice"):
        parse_arguments([f"options:={text}"], SCHEMA)
    with pytest.raises(UsageError, match="the name 'a' twice"):
        read_json_file(str(file))
    with pytest.raises(InvalidArguments):
        parse_arguments([f"options={text}"], SCHEMA)
