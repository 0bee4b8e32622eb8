"""JSON's limits: the same values are refused everywhere, by their place, and no others."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqswarm.schemas.json import (
    NESTING_LIMIT,
    JsonLimitError,
    canonical,
    dumps,
    encodable,
    loads,
    name_fault,
)


def nested(levels, inner=1, *, objects=False):
    for _ in range(levels):
        inner = {"a": inner} if objects else [inner]
    return inner


def itself():
    loop = []
    loop.append(loop)
    return loop


BEYOND = 2**1024
REFUSED = {
    "nested": ({"items": [0, nested(100)]}, r"arguments\.items\[1\]\[0\].* deeper than 64 levels"),
    "nested-1000": (nested(1000, objects=True), r"arguments\.a\.a.* deeper than 64 levels"),
    "nested-100000": (nested(100_000), "deeper than 64 levels"),
    "itself": (itself(), "deeper than 64 levels"),
    "nan": ({"items": [{"score": math.nan}]}, r"arguments\.items\[0\]\.score is not a finite"),
    "infinity": ([-math.inf], r"arguments\[0\] is not a finite number"),
    "integer": ({"n": BEYOND}, r"arguments\.n is not a finite number"),
    "negative-integer": ({"n": -BEYOND}, r"arguments\.n is not a finite number"),
    "5000-digits": ([10**5000], r"arguments\[0\] is not a finite number"),
    "surrogate": ({"items": [{"name": "a\ud800"}]}, r"arguments\.items\[0\]\.name holds a lone"),
    "surrogate-in-a-key": ({"a": {"\udfff": 1}}, r"arguments\.a\['\\udfff'\] has a lone surrogate"),
    "a-set": ({"a b": {1}}, r"arguments\['a b'\] is a set: JSON has no such value"),
    "a-tuple-as-key": ({(1, 2): 1}, r"arguments\[\(1, 2\)\] has a key that is not text"),
}


@pytest.mark.parametrize(("value", "why"), REFUSED.values(), ids=REFUSED)
def test_a_value_over_a_limit_is_refused_by_its_place(value, why):
    with pytest.raises(JsonLimitError, match=why):
        dumps(value, place="arguments", nesting=NESTING_LIMIT)
    with pytest.raises(JsonLimitError):
        canonical(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(
            "[" * 1000 + "]" * 1000, "deeper than 80 levels, at character 80", id="nested"
        ),
        pytest.param("[" * 10**6, "deeper than 80 levels", id="never-closed"),
        pytest.param('{"a":' * 1000 + "1" + "}" * 1000, "deeper than 80", id="nested-objects"),
        pytest.param(
            '{"a": "]", "b": ' * 81 + "1" + "}" * 81, "deeper than 80", id="brackets-in-text"
        ),
        pytest.param('["\\"]",' * 81 + "1" + "]" * 81, "deeper than 80", id="escaped-quotes"),
        pytest.param('{"x": [1e999]}', r"x\[0\] is not a finite", id="1e999"),
        pytest.param("[-1E+0999]", r"\[0\] is not a finite", id="another-spelling"),
        pytest.param("[NaN]", r"\[0\] is not a finite", id="nan"),
        pytest.param('{"a": -Infinity}', "a is not a finite", id="infinity"),
        pytest.param(f"[{'9' * 400}]", r"\[0\] is not a finite", id="400-digits"),
        pytest.param(f"[-{'9' * 9000}]", r"\[0\] is not a finite", id="9000-digits"),
        pytest.param(f"[{'9' * 250}e99]", r"\[0\] is not a finite", id="both"),
        pytest.param('{"a": ["\\ud800"]}', r"a\[0\] holds a lone surrogate", id="surrogate"),
        pytest.param('{"a": "\ud800"}', "a holds a lone surrogate", id="surrogate-itself"),
        pytest.param('{"\\uDC00": 1}', "has a lone surrogate in its key", id="surrogate-in-a-key"),
        pytest.param(
            '{"a": {"b": "x", "c": ["\\udc00x"]}}', r"a\.c\[0\] holds", id="deep-surrogate"
        ),
    ],
)
def test_text_over_a_limit_is_refused_by_its_place(text, why):
    with pytest.raises(JsonLimitError, match=why):
        loads(text)
    with pytest.raises(ValueError, match=r"."):
        loads(text.encode(errors="surrogatepass"))


@pytest.mark.parametrize(
    "text",
    ["[[", "]]", '{"a": ]}', "[}", '"' + "[" * 1000, "\\" * 99, "[" * 70 + "}" * 70, b"\xff[]"],
)
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        loads(text)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(nested(NESTING_LIMIT), id="64-levels"),
        pytest.param(nested(NESTING_LIMIT, objects=True), id="64-objects"),
        pytest.param([nested(NESTING_LIMIT - 1) for _ in range(50)], id="64-levels-wide"),
        pytest.param("[" * 1000, id="brackets-in-text"),
        pytest.param(['a"[{\\'] * 300, id="brackets-and-quotes-in-text"),
        pytest.param([[]] * 5000, id="many-lists"),
        pytest.param(1.7976931348623157e308, id="largest-double"),
        pytest.param(5e-324, id="smallest-double"),
        pytest.param(int(1.7976931348623157e308), id="largest-integer"),
        pytest.param(["1e999", "NaN", "-Infinity", "9" * 5000], id="numbers-in-text"),
        pytest.param("\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), id="pair"),
        pytest.param("\\ud800", id="backslash-u"),
        pytest.param({"": None, "a": True, "é": "\x00"}, id="odd-but-json"),
    ],
)
def test_a_value_within_the_limits_survives(value):
    text = dumps(value, nesting=NESTING_LIMIT)
    assert loads(text, nesting=NESTING_LIMIT) == value
    assert loads(json.dumps(value)) == value


def test_what_sqs_refuses_is_escaped():
    value = {"\ufffe": "\\\uffff", "a": "\ue000\ufffd\U0001fffe"}
    text = dumps(value)
    assert not set(text) & {"\ufffe", "\uffff"}
    assert loads(text) == value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\[]{}')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='a"\\[]{}'), inner),
    max_leaves=80,
)


def depth(value):
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


@given(VALUES, st.integers(1, 6))
def test_a_value_is_refused_where_it_is_deeper_and_only_there(value, limit):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        if depth(value) > limit:
            with pytest.raises(JsonLimitError, match="deeper"):
                loads(text, nesting=limit)
            with pytest.raises(JsonLimitError, match="deeper"):
                dumps(value, nesting=limit)
        else:
            assert loads(text, nesting=limit) == value
            assert loads(dumps(value, nesting=limit)) == value


@given(st.text(alphabet='[]{}",:\\1eEaN+-.u\ud800\ufffe '))
def test_whatever_text_holds_it_is_a_value_or_a_value_error(text):
    try:
        value = loads(text)
    except ValueError:
        return
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("name", ["", "a\n", "\x00", "\ud800", "\uffff", "é" * 600])
def test_a_name_that_cannot_travel_has_a_fault(name):
    assert name_fault(name)


def test_a_name_that_can_travel_has_none():
    assert not any(
        map(name_fault, ["a", "a b", "\U0001f600", "arn:aws:iam::1:user/me", "x" * 1024])
    )


def test_text_of_others_is_made_encodable():
    assert encodable("a\ud800é") == "a?é"
    assert encodable("ü\n") == "ü\n"
