"""Script: what Claude says, as JSON; which scene and turn a request is in.

{"scenes": [
  {"when": "trip to Rome",                     // in the last thing the user wrote
   "turns": [
     {"say": "Let me look.", "use": [{"tool": "find_hotels", "input": {"city": "Rome"}}]},
     {"say": "The best is {last}"}]}],         // {last}: the last tool's output
 "faults": {"rate_limited": 0.1, "overloaded": 0.05, "retry_after_ms": 50, "seed": 1}}

A turn may also have `think`, `answer` (JSON as the text), `stop_reason`, `delay_s`, `tokens`
(output tokens to report), `cut` (the stream breaks off) and `error` {"status", "type",
"message"}. The last turn of a scene is played again where a conversation goes on. An answer that
breaks the agent's `output` is corrected by the agent: the scene's next turn is the next try.
Nothing is remembered from one request to the next: which turn it is can be read from the request,
so a restarted server goes on where it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.workers.claude.conversation import CORRECTION

_MARKED = re.compile(r"<tool_output[^>]*>\n(.*)\n</tool_output>$", re.DOTALL)
"""Agents mark what tools say; a script is about the words within."""

_TURN_FIELDS = frozenset(
    {"say", "use", "think", "answer", "stop_reason", "delay_s", "tokens", "error", "cut"}
)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One reply. `use` are calls of tools, each with `tool` and `input`."""

    say: str = ""
    use: tuple[JsonObject, ...] = ()
    think: str = ""
    answer: Any = None
    stop_reason: str | None = None
    delay_s: float = 0.0
    tokens: int | None = None
    error: JsonObject | None = None
    cut: bool = False

    def text(self, last: str) -> str:
        """Return what is said, given the output of the last tool."""
        if self.answer is not None:
            return dumps(self.answer)
        return self.say.replace("{last}", last)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Replies to a user whose words contain `when`."""

    when: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Shares of requests (0 to 1) that fail, drawn from `seed`.

    `requests_per_s` limits as the API does: more are answered 429.
    """

    rate_limited: float = 0.0
    overloaded: float = 0.0
    retry_after_ms: int = 50
    requests_per_s: float | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Script:
    """All scenes, the first that fits is played; and how often the server fails."""

    scenes: tuple[Scene, ...] = ()
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def of(cls, document: JsonObject) -> Script:
        """Return the script in a JSON document; raises UsageError where it is none."""
        try:
            scenes = tuple(
                Scene(when=scene.get("when", ""), turns=tuple(map(_turn, scene["turns"])))
                for scene in document.get("scenes", ())
            )
            return cls(scenes=scenes, faults=Faults(**document.get("faults", {})))
        except (TypeError, KeyError, AttributeError) as error:
            message = f"this is no script: {error!r}"
            raise UsageError(
                message, hint="See the head of testing/fake_claude/script.py."
            ) from error

    def turn(self, messages: Sequence[JsonObject]) -> Turn:
        """Return the reply that is due in a conversation."""
        asked, index = _place(messages)
        for scene in self.scenes:
            if scene.when in asked and scene.turns:
                return scene.turns[min(index, len(scene.turns) - 1)]
        return Turn(say=f"You said: {asked}")


def _turn(document: JsonObject) -> Turn:
    unknown = document.keys() - _TURN_FIELDS
    if unknown:
        message = f"a turn has no {min(unknown)!r}"
        raise TypeError(message)
    return Turn(**{**document, "use": tuple(document.get("use", ()))})


def _place(messages: Sequence[JsonObject]) -> tuple[str, int]:
    """Return what the user wrote last, and how many replies there were since."""
    replies = 0
    for message in reversed(messages):
        if message["role"] == "assistant":
            replies += 1
        elif (text := written(message)) is not None:
            return text, replies
    return "", replies


def written(message: JsonObject) -> str | None:
    """Return a user's own words; None for tool outputs, and where an agent corrects an answer."""
    content = message["content"]
    if not isinstance(content, str):
        if any(block.get("type") == "tool_result" for block in content):
            return None
        content = "\n".join(block.get("text", "") for block in content)
    return None if content.startswith(CORRECTION) else str(content)


def correction(message: JsonObject) -> str | None:
    """Return what an agent has found wrong with the answer before, if that is what it says."""
    content = message["content"]
    if message["role"] == "user" and isinstance(content, str) and content.startswith(CORRECTION):
        return content.removeprefix(CORRECTION).strip()
    return None


def last_output(messages: Sequence[JsonObject]) -> str:
    """Return the output of the last tool that was called."""
    return next(reversed(outputs(messages).values()), "")


def outputs(messages: Sequence[JsonObject]) -> dict[str, str]:
    """Return the outputs of all tools that were called, by the calls' ids."""
    return {
        block["tool_use_id"]: _text_of(block.get("content", ""))
        for message in messages
        if message["role"] == "user" and not isinstance(message["content"], str)
        for block in message["content"]
        if block.get("type") == "tool_result"
    }


def _text_of(content: Any) -> str:
    if not isinstance(content, str):
        content = "\n".join(part.get("text", "") for part in content)
    marked = _MARKED.match(content)
    return marked[1] if marked else str(content)
