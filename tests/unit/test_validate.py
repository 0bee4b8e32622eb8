"""Validation at the edge: what is wrong, and where, before anything is published."""

import pytest

from sqswarm import agent
from sqswarm.dispatcher.validate import Validator
from sqswarm.schemas import payload
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidArguments, PayloadTooLarge


@agent
def score(text: str, weights: dict[str, float], top: int = 3) -> float:
    return 0.0


VALIDATOR = Validator(CatalogueEntry.of(score.spec))


def test_valid_arguments_become_compact_json():
    given = {"text": "ü", "weights": {}}
    assert VALIDATOR.encode(given) == ('{"text":"ü","weights":{}}', given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({}, ["text", "weights", "required"], id="missing"),
        pytest.param({"text": 1, "weights": {}}, ["text", "string"], id="wrong-type"),
        pytest.param({"text": "", "weights": {"a": "b"}}, ["weights.a"], id="nested-place"),
        pytest.param({"text": "", "weights": {}, "tpo": 1}, ["tpo"], id="unknown-name"),
        pytest.param({"text": {1, 2}, "weights": {}}, ["JSON"], id="a-set-is-no-json"),
        pytest.param({"text": "", "weights": {"a": float("nan")}}, ["JSON"], id="nan"),
        pytest.param([], ["object"], id="a-list"),
    ],
)
def test_bad_arguments_are_refused_with_their_place(arguments, words):
    with pytest.raises(InvalidArguments) as caught:
        VALIDATOR.encode(arguments)
    for word in [*words, "score"][: len(words) + (not isinstance(arguments, list))]:
        assert word in str(caught.value)


def test_a_payload_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(payload, "PAYLOAD_LIMIT_BYTES", 100)
    with pytest.raises(PayloadTooLarge, match="100"):
        VALIDATOR.encode({"text": "x" * 200, "weights": {}})
