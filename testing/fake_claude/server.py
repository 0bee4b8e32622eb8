"""Server: the Messages API as far as agents use it, and what it was asked.

POST /v1/messages, POST /v1/messages/count_tokens; for tests GET /takes, PUT /script and
POST /reset.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sqswarm.schemas.json import JsonObject, canonical, dumps, loads
from sqswarm.testing.fake_claude.script import Script, last_output
from sqswarm.testing.fake_claude.tokens import TokenMeter
from sqswarm.testing.fake_claude.wire import error_of, events_of, message_of

TURN_HEADER = "idempotency-key"
"""Agents send `<task>/<turn>` in it; without one a conversation is its first message."""


@dataclass(frozen=True, kw_only=True)
class Take:
    """One request that was answered. `turn` counts the replies the conversation had before."""

    conversation: str
    turn: int
    status: int
    usage: JsonObject
    model: str
    request: JsonObject
    at_s: float


class MessagesApi:
    """What one server has played so far."""

    def __init__(self, script: Script) -> None:
        """Play `script`."""
        self.script = script
        self.takes: list[Take] = []
        self._meter = TokenMeter()
        self.draw_anew()
        self._lock = threading.Lock()
        self._starts: list[float] = []

    def draw_anew(self) -> None:
        """Draw the script's faults from the start of its seed."""
        self._draw = random.Random(self.script.faults.seed)

    @property
    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/v1/messages/count_tokens", self._count, methods=["POST"]),
                Route("/takes", self._told, methods=["GET"]),
                Route("/script", self._replace, methods=["PUT"]),
                Route("/reset", self._reset, methods=["POST"]),
            ]
        )

    @property
    def paid(self) -> list[Take]:
        """Return the takes that cost tokens."""
        return [take for take in self.takes if take.status == 200]  # noqa: PLR2004 - HTTP's OK

    def repeated(self) -> dict[str, int]:
        """Return the turns that were paid more than once: "conversation/turn" → times."""
        counts = Counter(f"{take.conversation}/{take.turn}" for take in self.paid)
        return {name: times for name, times in counts.items() if times > 1}

    def usage(self) -> Counter[str]:
        """Return all tokens that were paid, by kind."""
        total: Counter[str] = Counter()
        for take in self.paid:
            total.update({name: value for name, value in take.usage.items() if value})
        return total

    async def _messages(self, request: Request) -> Response:
        body = loads(await request.body())
        refused = self._refused(request, body)
        if refused is not None:
            status, headers, answer = refused
            self._note(request, body, status, {})
            return JSONResponse(answer, status, headers)
        turn = self.script.turn(body["messages"])
        if turn.delay_s:
            await asyncio.sleep(turn.delay_s)
        if turn.error is not None:
            status = int(turn.error["status"])
            self._note(request, body, status, {})
            answer = error_of(status, turn.error.get("message", ""), kind=turn.error.get("type"))
            return JSONResponse(answer, status)
        message = message_of(
            turn,
            number=int(sha256(canonical(body["messages"]).encode()).hexdigest()[:5], 16),
            model=body["model"],
            last=last_output(body["messages"]),
            usage=self._meter.input_of(body),
            max_tokens=body["max_tokens"],
        )
        self._note(request, body, 200, message["usage"])
        if not body.get("stream"):
            return JSONResponse(message)
        return StreamingResponse(_stream(message, cut=turn.cut), media_type="text/event-stream")

    def _refused(
        self, request: Request, body: JsonObject
    ) -> tuple[int, dict[str, str], JsonObject] | None:
        """Return the status, headers and body of a request that fails."""
        if not (request.headers.get("authorization") or request.headers.get("x-api-key")):
            return 401, {}, error_of(401, "no key")
        if problem := malformed(body):
            return 400, {}, error_of(400, problem)
        faults = self.script.faults
        with self._lock:
            draw = self._draw.random()
            now = time.monotonic()
            crowded = False
            if faults.requests_per_s is not None:
                self._starts = [start for start in self._starts if start > now - 1]
                crowded = len(self._starts) >= faults.requests_per_s
                if not crowded:
                    self._starts.append(now)
        if crowded or draw < faults.rate_limited:
            wait_ms = faults.retry_after_ms
            headers = {"retry-after": str(-(-wait_ms // 1000)), "retry-after-ms": str(wait_ms)}
            return 429, headers, error_of(429, "too many requests")
        if draw < faults.rate_limited + faults.overloaded:
            return 529, {}, error_of(529, "overloaded")
        return None

    def _note(self, request: Request, body: JsonObject, status: int, usage: JsonObject) -> None:
        messages = body.get("messages") or [{"role": "user", "content": ""}]
        named = request.headers.get(TURN_HEADER, "").rpartition("/")[0]
        first = sha256(canonical(messages[0]).encode()).hexdigest()[:12]
        take = Take(
            conversation=named or first,
            turn=sum(message["role"] == "assistant" for message in messages),
            status=status,
            usage=usage,
            model=body.get("model", ""),
            request=body,
            at_s=time.monotonic(),
        )
        self.takes.append(take)

    async def _count(self, request: Request) -> Response:
        usage = TokenMeter().input_of(loads(await request.body()))
        return JSONResponse({"input_tokens": sum(usage.values())})

    async def _told(self, _: Request) -> Response:
        return JSONResponse(
            {
                "takes": [asdict(take) for take in self.takes],
                "repeated": self.repeated(),
                "usage": self.usage(),
            }
        )

    async def _replace(self, request: Request) -> Response:
        self.script = Script.of(loads(await request.body()))
        return JSONResponse({"scenes": len(self.script.scenes)})

    async def _reset(self, _: Request) -> Response:
        self.takes.clear()
        return JSONResponse({})


def malformed(body: JsonObject) -> str | None:
    """Return what the API would refuse about a request, None where it is well formed."""
    if not all(name in body for name in ("model", "max_tokens", "messages")):
        return "model, max_tokens and messages are required"
    messages: list[Any] = body["messages"]
    if not messages or messages[0]["role"] != "user":
        return "messages: the first must be the user's"
    names = [tool.get("name") for tool in body.get("tools", ())]
    if len(set(names)) != len(names):
        return "tools: names must be unique"
    for before, after in zip(messages, [*messages[1:], None], strict=True):
        used = _ids(before, "tool_use", "id") if before["role"] == "assistant" else set()
        if used and (after is None or used - _ids(after, "tool_result", "tool_use_id")):
            return "messages: tool_use ids were found without tool_result blocks after them"
    return None


def _ids(message: JsonObject, kind: str, name: str) -> set[str]:
    content = message["content"]
    if isinstance(content, str):
        return set()
    return {block[name] for block in content if block["type"] == kind}


async def _stream(message: JsonObject, *, cut: bool) -> AsyncIterator[bytes]:
    for event in events_of(message):
        if cut and event["type"] == "message_delta":
            return
        yield f"event: {event['type']}\ndata: {dumps(event)}\n\n".encode()
        await asyncio.sleep(0)
