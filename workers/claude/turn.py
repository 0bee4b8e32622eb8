"""Turn: one paid call of the model, as one durable step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from sqswarm.backends.redact import hide, hide_all
from sqswarm.schemas.budget import worst_case
from sqswarm.schemas.errors import SecretNotFound
from sqswarm.schemas.heard import Turn
from sqswarm.schemas.json import JsonObject, dumps, size_bytes
from sqswarm.schemas.ledger import day_of
from sqswarm.schemas.pricing import Tokens
from sqswarm.workers.claude.budget import Reservation, Spend
from sqswarm.workers.claude.client import Throttle, Throttled, client_of
from sqswarm.workers.claude.config import Model
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.durable.step import run_step
from sqswarm.workers.runtime.outcome import Fail, Retry

_PATIENCE_S = 20.0
"""How long a call waits in its worker when it is throttled; longer waits give the worker back."""

_LONGEST_WAIT_S = 300.0
_SHOW_EVERY_S = 1.0
_SHOWN_CHARACTERS = 160
_REST_SHARE = 0.25


class Turns:
    """The model's turns in one task. Every one is a step: what was paid is not paid again."""

    def __init__(self, model: Model, ctx: TaskContext, request: JsonObject) -> None:
        """Take turns with `request`, to which each adds its messages."""
        worker = ctx.worker
        self._model = model
        self._ctx = ctx
        self._worker = worker
        self._request = request
        self._spend = Spend(
            worker, task_id=ctx.task_id, principal=ctx.principal, budget=model.budget
        )
        self._throttle = Throttle(worker, f"{model.account.settled(os.environ).whom}:{model.name}")
        self._so_far: Tokens = Tokens()

    async def take(
        self, number: int, messages: Sequence[JsonObject], known: Tokens | None
    ) -> JsonObject:
        """Return the model's reply to `messages`: content, stop_reason, tokens, rest.

        Or `wait_s` alone, where the API is too busy for now. `known` is the usage of the turn
        before. Raises Fail where no attempt can succeed (BudgetExceeded, ContextOverflow, …).
        """
        account = self._model.account.settled(os.environ)
        turn = Turn(
            number=number,
            provider=account.provider,
            model=self._model.name,
            max_tokens=int(self._request["max_tokens"]),
            server=account.base_url,
        )

        async def called() -> JsonObject:
            try:
                return await self._called(turn, messages, known)
            finally:
                turn.input_tokens = self._so_far.input
                turn.cache_write_tokens = self._so_far.cache_write
                turn.cache_read_tokens = self._so_far.cache_read
                turn.output_tokens = self._so_far.output

        # Redacted already, as far as it can be: thinking is signed and goes back as it came.
        journal = self._ctx._recorded("a turn")  # noqa: SLF001 - not for agents, as `hidden` is
        reply: JsonObject = await run_step(
            journal, "turn", called, returns=None, retries=0, hidden=False, about=turn
        )
        return reply

    async def _called(
        self, turn: Turn, messages: Sequence[JsonObject], known: Tokens | None
    ) -> JsonObject:
        self._so_far = Tokens()
        client = await self._client()
        price = self._model.price(day_of(self._worker.now_ms()))
        ceiling = worst_case(
            known=known,
            new_bytes=self._new_bytes(messages, known),
            max_tokens=int(self._request["max_tokens"]),
            price=price,
        )
        reservation = await self._spend.reserve(ceiling, patience_s=_PATIENCE_S)
        self._so_far = Tokens()
        try:
            reply = await self._patiently(client, turn, messages)
        except asyncio.CancelledError:
            # Out of time: what is known is entered, while the clean-up's moment lasts.
            if self._so_far.total:
                turn.micro_usd = await self._settle(reservation, sure=False)
            raise
        except Exception as error:
            meaning, free = _meaning(error)
            cost_free = free and not self._so_far.total
            turn.micro_usd = await self._settle(reservation, sure=cost_free)
            if meaning is error:
                raise
            raise meaning from error
        turn.micro_usd = await self._settle(reservation, sure=True)
        if "wait_s" not in reply:
            self._ctx.log.info(
                "turn.taken", turn=turn.number, micro_usd=turn.micro_usd, **asdict(self._so_far)
            )
        return reply

    async def _client(self) -> Any:
        """Return the API's client; a key that is not there is no matter of another attempt."""
        try:
            return await client_of(self._model.account)
        except SecretNotFound as error:
            raise Fail(f"{error}. {error.hint}", type="NotAuthorised") from error

    async def _settle(self, reservation: Reservation, *, sure: bool) -> int:
        price = self._model.price(reservation.day)
        return await self._spend.settle(
            reservation, self._so_far, model=self._model.name, price=price, sure=sure
        )

    def _new_bytes(self, messages: Sequence[JsonObject], known: Tokens | None) -> int:
        if known is None:
            return size_bytes(dumps({**self._request, "messages": list(messages)}))
        last = max(n for n, one in enumerate(messages) if one["role"] == "assistant")
        return size_bytes(dumps(list(messages[last + 1 :])))

    async def _patiently(
        self, client: Any, turn: Turn, messages: Sequence[JsonObject]
    ) -> JsonObject:
        """Call until the API takes it, or until waiting for it is no longer a worker's business."""
        waited_s = 0.0
        times = 0
        patience_s = min(_PATIENCE_S, self._ctx.remaining_seconds() / 2)
        while True:
            wait_s = await self._throttle.wait_ms() / 1000
            if waited_s + wait_s > patience_s:
                self._ctx.log.warning("turn.throttled", turn=turn.number, wait_s=wait_s)
                return {"wait_s": min(wait_s + 2.0 ** min(times, 6), _LONGEST_WAIT_S)}
            if wait_s:
                waited_s += wait_s
                await self._worker.runner.sleep(wait_s)
                continue
            try:
                return await self._streamed(client, turn, messages)
            except Throttled as throttled:
                times += 1
                self._ctx.log.info("call.throttled", turn=turn.number, status=throttled.status)
                await self._throttle.note(throttled, times=times)

    async def _streamed(
        self, client: Any, turn: Turn, messages: Sequence[JsonObject]
    ) -> JsonObject:
        headers = {"Idempotency-Key": f"{self._ctx.task_id}/{turn.number}"}
        who = sha256(self._ctx.principal.encode()).hexdigest()[:32]
        stream = client.messages.stream(
            **self._request,
            messages=list(messages),
            metadata={"user_id": who},
            extra_headers=headers,
        )
        monotonic = self._worker.runner.monotonic
        shown_at = monotonic()
        async with stream as events:
            async for event in events:
                if event.type in {"message_start", "message_delta"}:
                    usage = events.current_message_snapshot.usage
                    self._so_far = Tokens.of(usage.to_dict())
                if event.type == "text" and monotonic() - shown_at >= _SHOW_EVERY_S:
                    shown_at = monotonic()
                    await self._show(turn.number, event.snapshot)
            message = await events.get_final_message()
        if message.stop_reason is None:
            raise Cut("the reply broke off")
        self._so_far = Tokens.of(message.usage.to_dict())
        turn.stop_reason, turn.response_id = message.stop_reason, message.id
        turn.response_model = message.model
        return {
            "content": [_plain(block) for block in message.content],
            "stop_reason": message.stop_reason,
            "tokens": asdict(self._so_far),
            "rest": self._needs_rest(),
        }

    async def _show(self, number: int, text: str) -> None:
        done = min(0.99, (number + 0.5) / self._model.budget.turns)
        await self._ctx.progress(done, hide(" ".join(text.split()))[-_SHOWN_CHARACTERS:])

    def _needs_rest(self) -> bool:
        """Tell whether the worker's time runs short: the next turn is another worker's then."""
        limit_s = self._worker.spec.timeout_s
        return bool(self._ctx.remaining_seconds() < _REST_SHARE * limit_s)


def _plain(block: Any) -> JsonObject:
    plain: JsonObject = block.to_dict(mode="json", exclude_unset=True)
    plain.pop("parsed_output", None)
    # Thinking is signed: it goes back as it came.
    return plain if "thinking" in plain["type"] else dict(hide_all(plain))


def _meaning(error: Exception) -> tuple[Exception, bool]:
    """Return what an error of a call means for the task, and whether it surely cost nothing."""
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        return _meaning_of_status(error), True
    if isinstance(error, anthropic.APIError | Cut):  # no answer, or one that broke off
        return Retry(f"the API cannot be reached: {error}"), False
    return error, True


class Cut(Exception):
    """A reply broke off before its end."""


_FINAL = {400: "BadRequest", 401: "NotAuthorised", 402: "NotPaid", 403: "NotAuthorised",
          404: "UnknownModel", 413: "ContextOverflow", 422: "BadRequest"}  # fmt: skip


def _meaning_of_status(error: Any) -> Exception:
    kind = _FINAL.get(error.status_code)
    if kind is None:
        return Retry(hide(f"the API answered {error.status_code}: {error.message}")[:500])
    said = hide(str(error.message))
    if kind == "BadRequest" and ("too long" in said or "context" in said):
        kind = "ContextOverflow"
    return Fail(f"the API answered {error.status_code}: {said}"[:1000], type=kind)
