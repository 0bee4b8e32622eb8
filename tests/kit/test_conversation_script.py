"""A conversation as text: what is played of it, and what a test may assert afterwards."""

from contextlib import ExitStack

import pytest
from anthropic import Anthropic
from pydantic import BaseModel

from sqswarm import ClaudeAgent
from sqswarm.schemas.errors import UsageError
from sqswarm.testing import MemorySwarm
from sqswarm.testing.fake_claude import fake_claude
from sqswarm.testing.fake_claude.conversation import scenes_of

TRIP = """
    user: a bed in Rome
    claude thinks: Where?
    claude: Let me look,
        and compare.
    claude calls find_hotels(city="Rome", stars=[3, 4])
    claude calls find-trains(to="Rome")
    ...
    claude calls book(hotel="Palace")
    claude: {last} it is.

    user:
    claude answers: {"city": "Rome"}
    claude fails: 529
"""


def test_a_conversation_reads_as_the_script_that_it_is():
    assert scenes_of(TRIP) == [
        {
            "when": "a bed in Rome",
            "turns": [
                {
                    "think": "Where?",
                    "say": "Let me look,\nand compare.",
                    "use": [
                        {"tool": "find_hotels", "input": {"city": "Rome", "stars": [3, 4]}},
                        {"tool": "find-trains", "input": {"to": "Rome"}},
                    ],
                },
                {"use": [{"tool": "book", "input": {"hotel": "Palace"}}]},
                {"say": "{last} it is."},
            ],
        },
        {"when": "", "turns": [{"answer": {"city": "Rome"}}, {"error": {"status": 529}}]},
    ]


@pytest.mark.parametrize(
    "line",
    ["Claude says hello", "claude calls look(where)", "claude answers: {", "claude fails: maybe"],
)
def test_a_line_that_cannot_be_played_is_named_with_its_number(line):
    with pytest.raises(UsageError, match="line 2 of the conversation"):
        scenes_of(f"user: hello\n{line}\n")


@pytest.fixture
def memory_swarm_of():
    with ExitStack() as stack:
        yield lambda *agents: stack.enter_context(MemorySwarm(*agents))


@pytest.fixture
def claude():
    with fake_claude("user: hello\nclaude: Good day.\n") as claude:
        yield claude


def ask(claude, text):
    client = Anthropic(base_url=claude.base_url, api_key="none")
    return client.messages.create(
        model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": text}]
    )


def test_what_was_asked_and_paid_can_be_asserted(claude):
    assert ask(claude, "hello there").content[0].text == "Good day."
    claude.assert_asked("hello")
    claude.assert_paid(turns=1, at_most_micro_dollars=10_000)
    assert claude.micro_dollars > 0
    with pytest.raises(AssertionError, match="nobody asked 'goodbye'; asked was"):
        claude.assert_asked("goodbye")
    with pytest.raises(AssertionError, match="no tool said"):
        claude.assert_told("anything")
    with pytest.raises(AssertionError, match="1 turns were paid, not 2"):
        claude.assert_paid(turns=2)
    with pytest.raises(AssertionError, match="over 1"):
        claude.assert_paid(at_most_micro_dollars=1)


def test_a_turn_that_is_paid_twice_fails_the_assertion(claude):
    ask(claude, "hello")
    ask(claude, "hello")
    with pytest.raises(AssertionError, match="paid more than once"):
        claude.assert_paid()


class Trip(BaseModel):
    city: str
    nights: int


planner = ClaudeAgent("planner", model="claude-sonnet-5-5", output=Trip)


@pytest.mark.parametrize(
    "wrong", ['claude answers: {"city": "Rome"}', "claude: Rome, I should say."]
)
def test_an_answer_that_is_corrected_is_followed_by_the_conversations_next_line(
    memory_swarm_of, fake_claude, wrong
):
    fake_claude.plays(f"""
        user: a trip to Rome
        {wrong}
        claude answers: {{"city": "Rome", "nights": "two"}}
        claude answers: {{"city": "Rome", "nights": 2}}

        user:
        claude: nobody asked this.
    """)
    memory = memory_swarm_of(planner)
    assert memory.submit(planner, prompt="a trip to Rome, please").result() == Trip(
        city="Rome", nights=2
    )
    fake_claude.assert_paid(turns=3)
    assert fake_claude.asked == ["a trip to Rome, please"]
    assert len(fake_claude.corrected) == 2
    assert "nights" in fake_claude.corrected[1]
    fake_claude.assert_corrected("nights")
    with pytest.raises(AssertionError, match="nothing was corrected for 'colour'"):
        fake_claude.assert_corrected("colour")
