"""Conversation: a script as it would be told.

user: A trip to Rome, please.
claude: Let me look.
claude calls find_hotels(city="Rome", stars=4)
claude calls find_trains(to="Rome")
...
claude: The best is {last}.

Each `user:` line begins a scene: it is played to whoever's words contain that line (an empty one is
played to anybody). Calls that follow one another are made at once; `...` is where the tools answer.
`claude thinks: …` and `claude answers: {json}` say what else a reply holds, `claude fails: 529` is
an error of the API. Where the agent sends an answer back, since it breaks its `output`, the next
line is Claude's next try. A line that is indented goes on with the one before.
"""

from __future__ import annotations

import ast
import re

from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import JsonObject, loads

_LINE = re.compile(r"(user|claude thinks|claude answers|claude fails|claude)\s*:\s*(.*)", re.DOTALL)
_CALL = re.compile(r"claude calls\s+([\w-]+)\((.*)\)", re.DOTALL)


def scenes_of(text: str) -> list[JsonObject]:
    """Return the scenes of a conversation, as a script's JSON has them.

    Raises UsageError for a line that is none of it, with its number.
    """
    scenes: list[JsonObject] = []
    reply: JsonObject | None = None
    for number, line in _lines(text):
        if line == "...":
            reply = None
            continue
        call, said = _CALL.fullmatch(line), _LINE.fullmatch(line)
        if said is not None and said[1] == "user":
            scenes.append({"when": said[2], "turns": []})
            reply = None
            continue
        if not scenes:
            scenes.append({"when": "", "turns": []})
        if call is not None:
            if reply is None or not reply.keys() <= {"say", "think", "use"}:
                reply = _new(scenes)
            reply.setdefault("use", []).append({"tool": call[1], "input": _input(call[2], number)})
            continue
        if said is None:
            raise _wrong(number, line)
        kind = said[1].removeprefix("claude").strip() or "says"
        if reply is None or reply.keys() != {"think"}:
            reply = _new(scenes)
        reply.update(_part(kind, said[2], number))
    return [scene for scene in scenes if scene["turns"]]


def _new(scenes: list[JsonObject]) -> JsonObject:
    reply: JsonObject = {}
    scenes[-1]["turns"].append(reply)
    return reply


def _part(kind: str, text: str, number: int) -> JsonObject:
    match kind:
        case "says":
            return {"say": text}
        case "thinks":
            return {"think": text}
        case "answers":
            try:
                return {"answer": loads(text)}
            except ValueError as error:
                raise _wrong(number, text) from error
        case _:
            if not text.isdigit():
                raise _wrong(number, text)
            return {"error": {"status": int(text)}}


def _input(text: str, number: int) -> JsonObject:
    """Return the arguments of a call as it would stand in Python."""
    try:
        call = ast.parse(f"call({text})", mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except (SyntaxError, ValueError):
        pass
    raise _wrong(number, text)


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the lines with their numbers; one that is indented further goes on with the last."""
    rows = [(n, row) for n, row in enumerate(text.splitlines(), 1) if row.strip()]
    indent = min((len(row) - len(row.lstrip()) for _, row in rows), default=0)
    found: list[tuple[int, str]] = []
    for number, row in rows:
        if found and row[indent : indent + 1].isspace():
            first, before = found[-1]
            found[-1] = (first, f"{before}\n{row.strip()}")
        else:
            found.append((number, row.strip()))
    return found


def _wrong(number: int, line: str) -> UsageError:
    message = f"line {number} of the conversation says nothing that can be played: {line!r}"
    return UsageError(message, hint='Write `user: …`, `claude: …` or `claude calls tool(a="b")`.')
