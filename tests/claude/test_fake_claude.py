"""FakeClaude speaks the Messages API as the SDK expects it."""

import anthropic
import pytest

from sqswarm.testing.fake_claude import fake_claude

SCRIPT = {
    "scenes": [
        {
            "when": "weather",
            "turns": [
                {
                    "think": "I need two of them.",
                    "say": "Let me look at both cities.",
                    "use": [
                        {"tool": "look", "input": {"city": "Rome"}},
                        {"tool": "look", "input": {"city": "Oslo"}},
                    ],
                },
                {"say": "It is {last}"},
            ],
        },
        {"when": "broken", "turns": [{"error": {"status": 400, "message": "no"}}]},
        {"when": "long", "turns": [{"say": "x" * 4000}]},
    ],
}


@pytest.fixture
def stage():
    with fake_claude(SCRIPT) as claude:
        yield claude


@pytest.fixture
async def client(stage):
    async with anthropic.AsyncAnthropic(
        api_key="k", base_url=stage.base_url, max_retries=0
    ) as client:
        yield client


ASKED = [{"role": "user", "content": "How is the weather?"}]


async def test_a_streamed_reply_is_the_whole_reply(client, stage):
    whole = await client.messages.create(model="m", max_tokens=500, messages=ASKED)
    async with client.messages.stream(model="m", max_tokens=500, messages=ASKED) as stream:
        streamed = await stream.get_final_message()
    assert streamed.to_dict()["content"] == whole.to_dict()["content"]
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole.stop_reason == "tool_use"
    assert stage.usage()["output_tokens"] == 2 * whole.usage.output_tokens


async def test_a_conversation_goes_on_from_what_the_request_says(client, stage):
    first = await client.messages.create(model="m", max_tokens=500, messages=ASKED)
    uses = [block for block in first.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "fine"} for use in uses]
    more = [
        *ASKED,
        {"role": "assistant", "content": first.to_dict()["content"]},
        {"role": "user", "content": results},
    ]
    second = await client.messages.create(model="m", max_tokens=500, messages=more)
    assert second.content[0].text == "It is fine"
    assert [take.turn for take in stage.takes] == [0, 1]
    assert stage.repeated() == {}
    await client.messages.create(model="m", max_tokens=500, messages=more)
    assert list(stage.repeated().values()) == [2]
    with pytest.raises(anthropic.BadRequestError, match="tool_result"):
        await client.messages.create(model="m", max_tokens=500, messages=more[:2])


async def test_a_prefix_is_read_from_the_cache_the_second_time(client):
    asked = [{"role": "user", "content": "weather " * 100}]
    call = {"model": "m", "max_tokens": 500, "cache_control": {"type": "ephemeral"}}
    first = await client.messages.create(messages=asked, **call)
    again = await client.messages.create(messages=asked, **call)
    assert first.usage.cache_read_input_tokens == 0
    assert again.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens > 0
    counted = await client.messages.count_tokens(model="m", messages=asked)
    assert counted.input_tokens == first.usage.cache_creation_input_tokens


async def test_failures_are_the_apis(client):
    with pytest.raises(anthropic.BadRequestError):
        await client.messages.create(
            model="m", max_tokens=5, messages=[{"role": "user", "content": "broken"}]
        )
    cut = await client.messages.create(
        model="m", max_tokens=10, messages=[{"role": "user", "content": "long"}]
    )
    assert cut.stop_reason == "max_tokens"
    assert cut.usage.output_tokens == 10


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"rate_limited": 1.0, "retry_after_ms": 1500}, anthropic.RateLimitError),
        ({"overloaded": 1.0}, anthropic.OverloadedError),
        ({"requests_per_s": 0}, anthropic.RateLimitError),
    ],
    ids=["429", "529", "limit"],
)
async def test_faults_are_drawn(faults, error):
    with fake_claude({"faults": faults}) as stage:
        async with anthropic.AsyncAnthropic(
            api_key="k", base_url=stage.base_url, max_retries=0
        ) as client:
            with pytest.raises(error) as raised:
                await client.messages.create(model="m", max_tokens=5, messages=ASKED)
    if "retry_after_ms" in faults:
        assert raised.value.response.headers["retry-after-ms"] == "1500"
        assert raised.value.response.headers["retry-after"] == "2"
    assert stage.paid == []
