"""A conversation is a task like any other: its turns and tools are steps."""

import asyncio
from collections import Counter
from itertools import count

import pytest
from asking import ask
from pydantic import BaseModel

from sqswarm import Budget, ClaudeAgent, Fail, TaskContext, agent, ask_person, tool
from sqswarm.dispatcher.timeline import timeline
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing.fake_claude import Script

MODEL = "claude-sonnet-5-5"
CALLS = []


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.clear()


async def weather(city: str) -> str:
    """Tell the weather."""
    CALLS.append(city)
    if city == "Atlantis":
        raise LookupError("it sank")
    return f"sunny in {city}"


def plain(number: int) -> dict:
    """Double a number."""
    CALLS.append(number)
    return {"double": 2 * number}


def use(name, **arguments):
    return {"tool": name, "input": arguments}


async def test_it_answers_with_its_tools(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, system="Plan.", tools=[weather, plain])
    turns = (
        {"say": "Looking.", "use": [use("weather", city="Rome"), use("plain", number=4)]},
        {"say": "Result: {last}"},
    )
    with play(*turns) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.status is Status.COMPLETED, seen.record.error
    assert seen.result() == 'Result: {"double":8}'
    assert CALLS == ["Rome", 4]
    assert stage.repeated() == {}
    [first, second] = stage.paid
    assert [one["name"] for one in first.request["tools"]] == ["weather", "plain"]
    results = second.request["messages"][-1]["content"]
    assert "sunny in Rome" in results[0]["content"]
    assert first.conversation == second.conversation
    assert planner.spec.input_schema["required"] == ["prompt"]


async def test_its_turns_and_tools_are_in_its_timeline(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, system="Plan.", tools=[weather])
    turns = ({"use": [use("weather", city="Rome")]}, {"say": "Done."})
    swarm = memory(planner)
    with play(*turns):
        seen = await ask(swarm, planner)
    [_, attempt] = (await timeline(swarm.connection, seen.id)).spans
    told = [(span.kind.value, span.name.split(" ")[0]) for span in attempt.children]
    assert told == [("turn", "turn"), ("step", told[1][1]), ("turn", "turn")]
    assert "weather" in attempt.children[1].name
    ends = [attempt.began_ms, *(span.ended_ms for span in attempt.children), attempt.ended_ms]
    assert ends == sorted(ends)


async def test_what_goes_wrong_in_a_tool_is_told_to_the_model(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, tools=[weather])
    turns = (
        {"use": [use("weather", city="Atlantis"), use("weather", town="x"), use("rm", path="/")]},
        {"say": "I see"},
    )
    with play(*turns) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.result() == "I see"
    sunk, unfit, unknown = stage.paid[1].request["messages"][-1]["content"]
    assert sunk["is_error"]
    assert "LookupError: it sank" in sunk["content"]
    assert unfit["is_error"]
    assert "city: Field required" in unfit["content"]
    assert unknown["is_error"]
    assert "there is no tool 'rm'" in unknown["content"]
    assert CALLS == ["Atlantis"]


async def test_tools_of_one_turn_run_side_by_side(memory, play):
    async def slow(n: int) -> int:
        await asyncio.sleep(0.5)
        return n

    planner = ClaudeAgent("planner", model=MODEL, tools=[slow])
    with play({"use": [use("slow", n=1), use("slow", n=2)]}, {"say": "done"}) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.result() == "done"
    asked, told = (take.at_s for take in stage.paid)
    assert 0.5 < told - asked < 0.8


async def test_what_the_model_says_is_shown_now_and_then(memory, play, monkeypatch):
    planner = ClaudeAgent("planner", model=MODEL)
    with play({"say": "word " * 200}):
        one = memory(planner)
        with one.counting() as counts:
            await ask(one, planner)
        assert counts["other"] == 0  # it was over within a second
        monkeypatch.setattr("sqswarm.workers.claude.turn._SHOW_EVERY_S", 0)
        with one.counting() as counts:
            seen = await ask(one, planner)
    assert counts["other"] > 10
    assert seen.record.status_message.endswith("word word")
    assert len(seen.record.status_message) <= 160


async def test_a_busy_api_gives_the_worker_back(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, max_attempts=1, budget=Budget(usd=1))
    with play({"say": "at last"}, faults={"rate_limited": 1.0, "retry_after_ms": 8000}) as stage:
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.work(planner)
        record = await one.record(task_id)
        assert record.wake_at_ms is not None
        assert len(stage.takes) < 5
        stage.script = Script.of({"scenes": [{"turns": [{"say": "at last"}]}]})
        for _ in range(3):
            one.clock.advance(seconds=120)
            await one.settle_down()
        assert (await one.see(task_id)).result() == "at last"
    [account] = [item for key, item in one.store.items.items() if key.sk == "spend"]
    assert account["committed"] == account["spent"] > 0


async def test_a_reply_that_breaks_off_is_asked_for_again_and_stays_committed(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, budget=Budget(usd=1))
    with play({"say": "half of it", "cut": True}) as stage:
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.settle_down()
        assert "broke off" in (await one.record(task_id)).status_message
        stage.script = Script.of({"scenes": [{"turns": [{"say": "all of it"}]}]})
        one.clock.advance(seconds=60)
        await one.settle_down()
        assert (await one.see(task_id)).result() == "all of it"
    [account] = [item for key, item in one.store.items.items() if key.sk == "spend"]
    assert account["committed"] > account["spent"] > 0


class Plan(BaseModel):
    steps: list[str]
    days: int


async def test_an_answer_has_the_declared_form_or_is_asked_for_again(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, output=Plan)
    wrong, mended = {"steps": ["pack"]}, {"steps": ["pack"], "days": 2}
    with play({"answer": wrong}, {"answer": mended}) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.result() == {"steps": ["pack"], "days": 2}
    assert stage.paid[0].request["output_config"]["format"]["type"] == "json_schema"
    assert "days: Field required" in stage.paid[1].request["messages"][-1]["content"]
    assert planner.spec.output_schema["title"] == "Plan"


@pytest.mark.parametrize("said", [{"result": ["a", "b"]}, ["a", "b"]], ids=["wrapped", "bare"])
async def test_an_answer_that_is_no_object_travels_in_one(memory, play, said):
    lister = ClaudeAgent("lister", model=MODEL, output=list[str])
    with play({"answer": said}) as stage:
        seen = await ask(memory(lister), lister)
    assert seen.result() == ["a", "b"]
    schema = stage.paid[0].request["output_config"]["format"]["schema"]
    assert schema["type"] == "object"


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        ({"say": "No.", "stop_reason": "refusal"}, "Refused"),
        ({"say": "x" * 100, "stop_reason": "max_tokens"}, "OutputTruncated"),
        ({"say": "x", "stop_reason": "model_context_window_exceeded"}, "ContextOverflow"),
        ({"error": {"status": 400, "message": "prompt is too long: 9 > 8"}}, "ContextOverflow"),
        ({"error": {"status": 400, "message": "bad"}}, "BadRequest"),
        ({"error": {"status": 401, "message": "who?"}}, "NotAuthorised"),
        ({"error": {"status": 404, "message": "what?"}}, "UnknownModel"),
        ({"use": [use("weather", city="Rome")]}, "TurnsExceeded"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_end_that_is_no_answer_has_a_name(memory, play, turn, kind):
    planner = ClaudeAgent("planner", model=MODEL, tools=[weather], budget=Budget(turns=3))
    with play(turn) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.status is Status.FAILED
    assert seen.record.error["data"]["type"] == kind
    assert len(stage.takes) == (3 if kind == "TurnsExceeded" else 1)


async def test_a_key_that_is_not_there_fails_the_task_at_once(memory, play, monkeypatch):
    monkeypatch.delenv("NOBODYS_KEY", raising=False)
    planner = ClaudeAgent(
        "planner", model=MODEL, api_key="env:NOBODYS_KEY", base_url="https://api.example.invalid"
    )
    with play({"say": "never"}) as stage:
        seen = await ask(memory(planner), planner)
    assert seen.status is Status.FAILED
    assert seen.record.attempt == 1
    assert seen.record.error["data"]["type"] == "NotAuthorised"
    assert "env:NOBODYS_KEY" in seen.record.error["message"]
    assert not stage.takes


async def test_a_broken_api_is_tried_again_by_another_attempt(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, max_attempts=2)
    with play({"error": {"status": 500, "message": "oops"}}) as stage:
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.settle_down()
        assert (await one.record(task_id)).status is Status.WORKING
        one.clock.advance(seconds=60)
        await one.settle_down()
        assert (await one.record(task_id)).status is Status.FAILED
    assert len(stage.takes) == 2 * 4  # the SDK's three retries in each attempt


async def test_a_worker_that_dies_after_any_step_repeats_none(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, tools=[weather, plain])
    turns = (
        {"use": [use("weather", city="Rome"), use("weather", city="Oslo")]},
        {"use": [use("plain", number=4)]},
        {"say": "Found {last}"},
    )
    for steps in count(1):
        CALLS.clear()
        with play(*turns) as stage:
            one = memory(planner)
            task_id = await one.submit(planner, prompt="go")
            one.store.dies_after, one.store.of_kind = steps, "step"
            await one.settle_down()
            died, one.store.dead = one.store.dead, False
            one.clock.advance(seconds=planner.spec.visibility_s)
            await one.settle_down()
        assert (await one.see(task_id)).result() == 'Found {"double":8}', steps
        assert stage.repeated() == {}
        assert len(stage.paid) == 3
        # Of two tools side by side, the one that is not on record yet may run again.
        again = [call for call, times in Counter(CALLS).items() if times > 1]
        assert set(CALLS) == {"Rome", "Oslo", 4}
        assert again in ([], ["Oslo"]), steps
        if not died:
            break
    assert steps == 7  # three turns, three tools, and a run in which nobody died


@agent(timeout=20)
async def book(city: str) -> dict:
    """Book a hotel."""
    CALLS.append(f"book {city}")
    if city == "Full":
        raise Fail("no rooms", type="NoRooms")
    return {"booked": city}


async def test_agents_are_tools_beside_functions_in_one_turn(memory, play):
    planner = ClaudeAgent("planner", model=MODEL, tools=[weather, book])
    turns = (
        {
            "use": [
                use("weather", city="Oslo"),
                use("book", city="Oslo"),
                use("book", city="Full"),
                use("book", town="x"),
            ]
        },
        {"say": "done"},
    )
    with play(*turns) as stage:
        seen = await ask(memory(planner, book), planner)
    assert seen.result() == "done"
    assert sorted(CALLS) == ["Oslo", "book Full", "book Oslo"] or CALLS[0] == "Oslo"
    assert CALLS.count("Oslo") == 1
    told = stage.paid[1].request["messages"][-1]["content"]
    assert ["is_error" in one for one in told] == [False, False, True, True]
    assert '{"booked":"Oslo"}' in told[1]["content"]
    assert "NoRooms: no rooms" in told[2]["content"]
    assert len(stage.paid) == 2


def delete(path: str) -> str:
    """Delete a file."""
    CALLS.append(f"delete {path}")
    return "gone"


async def test_a_person_approves_changes_or_refuses_a_call(memory, play):
    from sqswarm.dispatcher.lifecycle.answer import answer

    planner = ClaudeAgent("planner", model=MODEL, tools=[tool(delete, approve=True), weather])
    turns = (
        {
            "use": [
                use("delete", path="a"),
                use("weather", city="Rome"),
                use("delete", path="b"),
                use("delete", path="c"),
                use("delete", wrong="d"),
            ]
        },
        {"say": "{last}"},
    )
    with play(*turns) as stage:
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.settle_down()
        record = await one.record(task_id)
        assert record.status is Status.INPUT_REQUIRED
        assert set(record.asks) == {"delete", "delete#2", "delete#3"}
        assert "delete" in record.asks["delete"]["message"]
        assert CALLS == ["Rome"]
        for key, said in (
            ("delete", {"decision": "approve"}),
            ("delete#2", {"decision": "approve", "arguments": {"path": "b2"}}),
            ("delete#3", {"decision": "refuse", "reason": "keep it"}),
        ):
            await answer(one.connection, task_id, key, value=said)
        await one.settle_down()
        seen = await one.see(task_id)
    assert seen.status is Status.COMPLETED, seen.record.error
    assert CALLS == ["Rome", "delete a", "delete b2"]
    told = stage.paid[1].request["messages"][-1]["content"]
    assert "keep it" in told[3]["content"]
    assert told[3]["is_error"]
    assert "path: Field required" in told[4]["content"]


async def test_the_model_may_ask_a_person(memory, play):
    from sqswarm.dispatcher.lifecycle.answer import answer

    planner = ClaudeAgent("planner", model=MODEL, tools=[ask_person()])
    with play({"use": [use("ask_person", question="Window or aisle?")]}, {"say": "So: {last}"}):
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.settle_down()
        assert (await one.record(task_id)).asks["ask_person"]["message"] == "Window or aisle?"
        await answer(one.connection, task_id, "ask_person", value="aisle")
        await one.settle_down()
        seen = await one.see(task_id)
    assert seen.result() == "So: aisle"


async def test_a_tool_with_the_context_records_steps_of_its_own(memory, play):
    async def trip(city: str, *, ctx: TaskContext) -> list:
        """Plan a trip."""
        first = await ctx.step("first", weather, city)
        return [first, await ctx.call("book", city=city)]

    planner = ClaudeAgent("planner", model=MODEL, tools=[trip])
    with play({"use": [use("trip", city="Bern")]}, {"say": "{last}"}):
        seen = await ask(memory(planner, book), planner)
    assert seen.result() == '["sunny in Bern",{"booked":"Bern"}]'
    assert CALLS == ["Bern", "book Bern"]


async def test_a_session_is_remembered_and_thinking_is_not(memory, play):
    helper = ClaudeAgent("helper", model=MODEL, ordered=True, tools=[weather])
    turns = ({"think": "hm", "use": [use("weather", city="Rome")]}, {"say": "Noted"})
    with play(*turns) as stage:
        one = memory(helper)
        for text in ("I like Rome", "Where do I like to go?"):
            seen = await ask(one, helper, text, session_id="s1")
            assert seen.status is Status.COMPLETED, seen.record.error
        await ask(one, helper, "Who?", session_id="other")
    last = stage.paid[2].request["messages"]
    assert last[0] == {"role": "user", "content": "I like Rome"}
    assert [message["role"] for message in last] == ["user", "assistant"] * 2 + ["user"]
    assert "thinking" not in str(last[:4])
    assert len(stage.paid[4].request["messages"]) == 1
    assert len(stage.paid) == 6


async def test_a_long_conversation_goes_on_in_other_workers(memory, play, monkeypatch):
    planner = ClaudeAgent("planner", model=MODEL, tools=[weather])
    monkeypatch.setattr("sqswarm.workers.claude.turn._REST_SHARE", 2)
    with play({"use": [use("weather", city="Rome")]}, {"say": "done"}) as stage:
        one = memory(planner)
        task_id = await one.submit(planner, prompt="go")
        await one.work(planner)
        assert (await one.record(task_id)).wake_at_ms is not None
        one.clock.advance(seconds=2)
        await one.settle_down()
        assert (await one.see(task_id)).result() == "done"
    assert len(stage.paid) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"durability": "lean"},
        {"api_key": "sk-ant-123"},
        {"provider": "vertex"},
        {"tools": [weather, tool(plain, name="weather")]},
        {"model": "unheard-of", "budget": Budget(usd=1)},
        {"mcp_servers": {"x": {"args": []}}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_cannot_work_is_refused_where_it_is_declared(wrong):
    with pytest.raises(InvalidAgent):
        ClaudeAgent("planner", **{"model": MODEL, **wrong})


async def test_bedrock_has_a_client_and_a_role_of_its_own(monkeypatch):
    from sqswarm.workers.claude.client import Account, client_of

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    client = await client_of(Account(provider="bedrock"))
    assert type(client).__name__ == "AsyncAnthropicBedrock"
    assert "eu-west-1" in str(client.base_url)
    assert client is await client_of(Account(provider="bedrock"))
    planner = ClaudeAgent(
        "planner", model="eu.anthropic.claude-sonnet-5-5", provider="bedrock", budget=Budget(usd=1)
    )
    [statement] = planner.spec.permissions
    assert "bedrock:InvokeModelWithResponseStream" in statement["Action"]


def test_a_deployed_function_gets_what_it_needs(monkeypatch, tmp_path):
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    (tmp_path / "claude_agents_here.py").write_text(
        "from sqswarm import ClaudeAgent\n"
        "asker = ClaudeAgent('asker', model='claude-sonnet-5-5', api_key='ssm:/a/key')\n"
    )
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://here")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "never-handed-on")
    monkeypatch.chdir(tmp_path)
    made = plan(find_project(tmp_path, modules=["claude_agents_here"]), stage="dev")
    spec = made.specs["asker"]
    assert dict(spec.env) == {"ANTHROPIC_BASE_URL": "http://here"}
    assert made.requirements == ("anthropic",)
    assert spec.permissions[0]["Resource"] == ["arn:aws:ssm:*:*:parameter/a/key"]
    assert "never-handed-on" not in made.template
    assert list(spec.input_schema["properties"]) == ["prompt"]
