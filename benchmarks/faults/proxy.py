"""Proxy: an HTTP server in front of the AWS endpoint, which lets requests through, or does not."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from benchmarks.faults.call import Call
from benchmarks.faults.refusals import refusal
from benchmarks.faults.rules import NONE, Fault, Rates, Rule
from benchmarks.faults.witness import Witness

_HELD_S = 0.3
"""How long a request that will be dropped is held: callers only notice that it took a while."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_START_S = 10


class Proxy:
    """A context manager: the proxy runs on a thread of its own, on a free port of this machine.

    Change `rates` at any time, add rules with `add`. What was injected is in `injected` (fault →
    how often), what the emulator accepted is known to `witness`.
    """

    def __init__(self, upstream: str, *, rates: Rates = NONE, seed: int = 0) -> None:
        """Stand before `upstream`, an address like http://127.0.0.1:4566."""
        self.upstream = upstream.rstrip("/")
        self.rates = rates
        self.witness = Witness()
        self.calls: Counter[str] = Counter()
        self.injected: Counter[Fault] = Counter()
        self.endpoint_url = ""
        self._chance = random.Random(seed)
        self._rules: list[Rule] = []
        self._ever: list[Rule] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        """Start; `endpoint_url` is set afterwards."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; what is held is dropped."""
        for rule in self._ever:
            rule.release.set()
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force and return it. Rules come before chance."""
        self._rules.append(rule)
        self._ever.append(rule)
        return rule

    def clear(self) -> None:
        """Take all rules out of force; what they hold stays held until they are released."""
        self._rules = []

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=120),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.5
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.endpoint_url = f"http://{host}:{port}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        call = Call.of(request.method, request.path_qs, request.headers, body)
        self.calls[call.operation] += 1
        rule = next((rule for rule in self._rules if rule.applies(call)), None)
        fault = rule.fault if rule is not None else self.rates.draw(call, self._chance)
        if fault is None:
            return await self._forward(request, call)
        self.injected[fault] += 1
        try:
            return await self._meet(fault, rule, request, call)
        finally:
            if rule is not None:
                rule.reached.set()

    async def _meet(
        self, fault: Fault, rule: Rule | None, request: web.BaseRequest, call: Call
    ) -> web.StreamResponse:
        match fault:
            case Fault.THROTTLE | Fault.BROKEN:
                told = refusal(call, fault)
                headers = {"Content-Type": told.content_type}
                return web.Response(status=told.status, body=told.body, headers=headers)
            case Fault.TIMED_OUT:
                await asyncio.sleep(_HELD_S)
                return _drop(request)
            case Fault.LOST:
                await self._forward(request, call)
                return _drop(request)
            case Fault.TWICE:
                await self._forward(request, call)
                return await self._forward(request, call)
            case Fault.HELD | Fault.LATE if rule is not None:
                rule.reached.set()
                await asyncio.to_thread(rule.release.wait)
                gone = request.transport is None or request.transport.is_closing()
                if gone and fault is Fault.HELD:
                    return _drop(request)  # as if it had never left the caller who died
            case Fault.ANSWER_HELD if rule is not None:
                answer = await self._forward(request, call)
                rule.reached.set()
                await asyncio.to_thread(rule.release.wait)
                return answer
        return await self._forward(request, call)

    async def _forward(self, request: web.BaseRequest, call: Call) -> web.Response:
        headers = _end_to_end(request.headers)
        url = self.upstream + request.path_qs
        try:
            async with self._session.request(
                request.method, url, data=call.body, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self.witness.saw_no_answer(call)
            return _drop(request)
        self.witness.saw(call, response.status, answer)
        given = _end_to_end(response.headers)
        return web.Response(status=response.status, body=answer, headers=given)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def _drop(request: web.BaseRequest) -> web.Response:
    """Close the connection under the caller's request; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
