"""How many agents a stage takes: docs/scale.md says it, and this counts it."""

from pathlib import Path

from infra_specs import rendered, spec

from sqswarm.schemas.errors import InvalidAgent

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()


def plain(number):
    return [spec(f"agent{n}") for n in range(number)]


def refused(number):
    try:
        rendered(*plain(number))
    except InvalidAgent:
        return True
    return False


def test_the_page_says_how_many_plain_agents_a_stack_holds():
    fits = next(n for n in range(30, 60) if refused(n + 1))
    assert f"A stack holds 500: {fits} plain agents." in PAGE
