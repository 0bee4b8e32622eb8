"""Conversation: turns and tools until the model is done. The whole conversation can be replayed.

What the model said and what tools did are steps, children and questions of the task, in an order
that follows from them alone; so a worker that is killed anywhere costs the call it was in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.pricing import Tokens
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.workers.claude.config import ClaudeConfig
from sqswarm.workers.claude.tool_output import RULE
from sqswarm.workers.claude.toolbox import Toolbox, toolbox
from sqswarm.workers.claude.turn import Turns
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.runtime.outcome import Fail

_WAITS_LIMIT = 60
"""Times a conversation gives its worker back because the API is busy: about four hours."""

_ENDS = {
    "refusal": ("Refused", "the model refused to go on"),
    "max_tokens": ("OutputTruncated", "a reply needs more than max_tokens"),
    "model_context_window_exceeded": ("ContextOverflow", "the conversation is too long"),
}

CORRECTION = "That is not an answer of the form that was asked for:"
"""How a model is told that its answer breaks the output's schema; the conversation goes on."""


async def converse(config: ClaudeConfig, prompt: str, ctx: TaskContext) -> Any:
    """Return the model's answer to `prompt`.

    Raises Fail for every end that is no answer: TurnsExceeded, BudgetExceeded, Refused,
    OutputTruncated, ContextOverflow, Overloaded.
    """
    box = await toolbox(ctx, config.tools, config.servers)
    notes = (*((RULE,) if box.tools else ()), *box.missing)
    request = config.model.request(tools=box.definitions, notes=notes, output=config.schema)
    memory = None
    if ctx.session_id and config.memory_tokens:
        memory = ctx.session(ctx.session_id, tokens=config.memory_tokens)
    past = await memory.messages() if memory else []
    messages = [*past, {"role": "user", "content": prompt}]
    talk = _Conversation(config, ctx, box, Turns(config.model, ctx, request), messages)
    answer = await talk.answer()
    if memory:
        await memory.append([_lasting(message) for message in messages[len(past) :]])
    return answer


def _lasting(message: JsonObject) -> JsonObject:
    """Return a message without its thinking, which belongs to one conversation only."""
    if isinstance(message["content"], str):
        return message
    kept = [block for block in message["content"] if "thinking" not in block["type"]]
    return {**message, "content": kept or [{"type": "text", "text": "…"}]}


class _Conversation:
    """One conversation; `messages` grow."""

    def __init__(
        self,
        config: ClaudeConfig,
        ctx: TaskContext,
        box: Toolbox,
        turns: Turns,
        messages: list[JsonObject],
    ) -> None:
        self._config = config
        self._ctx = ctx
        self._box = box
        self._turns = turns
        self._messages = messages
        self._known: Tokens | None = None
        self._taken = 0
        self._waits = 0

    async def answer(self) -> Any:
        """Take turns until one is an answer."""
        while True:
            reply = await self._reply()
            match reply["stop_reason"]:
                case "end_turn" | "stop_sequence":
                    text = _text(reply["content"])
                    if self._config.output is None:
                        return text
                    value, problem = _parsed(self._config, text)
                    if problem is None:
                        return value
                    self._say(problem)
                case "tool_use":
                    await self._use_tools(reply)
                case "pause_turn":
                    continue
                case reason:
                    kind, why = _ENDS.get(reason, ("Unknown", f"the model stopped: {reason}"))
                    said = _text(reply["content"])
                    raise Fail(f"{why}: {said[-500:]}" if said else why, type=kind)

    async def _reply(self) -> JsonObject:
        limit = self._config.model.budget.turns
        if self._taken >= limit:
            message = f"no answer within {limit} turns"
            raise Fail(message, type="TurnsExceeded")
        while True:
            reply = await self._turns.take(self._taken, self._messages, self._known)
            if "wait_s" not in reply:
                break
            self._waits += 1
            if self._waits > _WAITS_LIMIT:
                message = "the API was too busy for too long"
                raise Fail(message, type="Overloaded")
            await self._ctx.sleep(reply["wait_s"])
        self._taken += 1
        self._known = Tokens(**reply["tokens"])
        self._messages.append({"role": "assistant", "content": reply["content"]})
        return reply

    async def _use_tools(self, reply: JsonObject) -> None:
        if reply["rest"]:  # what follows is another worker's, with all its time
            await self._ctx.sleep(0)
        uses = [block for block in reply["content"] if block["type"] == "tool_use"]
        # Side by side: steps run, and whoever waits for children or people waits together.
        results = await asyncio.gather(
            *(self._box.answer(self._ctx, tool_call) for tool_call in uses)
        )
        self._messages.append({"role": "user", "content": list(results)})

    def _say(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})


def _text(content: Sequence[JsonObject]) -> str:
    return "".join(block["text"] for block in content if block["type"] == "text")


def _parsed(config: ClaudeConfig, text: str) -> tuple[Any, str | None]:
    from pydantic import ValidationError

    try:
        value = loads(text)
        if config.wrapped and isinstance(value, dict) and set(value) == {WRAPPED_KEY}:
            value = value[WRAPPED_KEY]
        # As JSON: what is strict in Python (a date, an enum) is written as text there.
        return config.output.validate_json(dumps(value)), None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
    except ValueError as error:
        problems = str(error)
    return None, f"{CORRECTION} {problems}"
