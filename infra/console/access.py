"""Access: the console opens for who has the URL that `sqswarm ui` prints, and for no other page.

The token in the URL is taken once, for a cookie that scripts cannot read and other sites cannot
have sent; then it is gone from the address line. Nothing of it is on disk. Cookies know no ports,
so what another server on this machine has a browser ask is refused by Sec-Fetch-Site, and the
WebSocket passes the same checks as any request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sqswarm.dispatcher.server.auth.checks import check_host, check_origin
from sqswarm.dispatcher.server.auth.identity import AuthError

TOKEN = "token"  # noqa: S105 - the parameter's name
_SESSIONS_LIMIT = 64
# NiceGUI's page is a script of its own, and Vue compiles templates in the browser.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'"
)
"""What a page may load, and where it may send anything: this server alone."""


@dataclass(kw_only=True)
class BrowserSession:
    """One browser that came with a token. `dark` is what was chosen there; None is the system's."""

    cookie: str
    dark: bool | None = None


current_session: ContextVar[BrowserSession] = ContextVar("sqswarm_console_session")
"""The browser that the request at hand comes from."""


class ConsoleAccess:
    """ASGI middleware before the console: HTTP and WebSocket alike."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        """Make a token for `app`, which answers at 127.0.0.1 and localhost on `port`."""
        self.app = app
        self.token = secrets.token_urlsafe(32)
        self._once: set[str] = set()
        self._sessions: list[BrowserSession] = []
        self._cookie = f"sqswarm_ui_{port}"
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    def once(self) -> str:
        """Return a token that is taken once: what a browser is started with, others can see."""
        token = secrets.token_urlsafe(32)
        self._once.add(token)
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass; refuse the rest before the console sees it."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            host = check_host(headers.getlist("host"), self._hosts)
            check_origin(headers.getlist("origin"), headers.getlist("sec-fetch-site"), host, ())
        except AuthError as error:
            await _refuse(scope, receive, send, error.status, error.detail)
            return
        session = self._session_of(headers.getlist("cookie"))
        if session is None and (answer := self._exchange(scope)) is not None:
            await answer(scope, receive, send)
        elif session is None:
            await _refuse(scope, receive, send, 401, "this address needs its token")
        elif scope["type"] == "http" and _has_token(scope):
            await RedirectResponse(_without_token(scope), 303)(scope, receive, send)
        else:
            current_session.set(session)
            await self.app(scope, receive, _guarded(send))

    def _session_of(self, cookies: Iterable[str]) -> BrowserSession | None:
        for line in cookies:
            try:
                given = SimpleCookie(line).get(self._cookie)
            except CookieError:
                continue
            if given is not None:
                found = [one for one in self._sessions if _same(one.cookie, given.value)]
                return found[0] if found else None
        return None

    def _exchange(self, scope: Scope) -> Response | None:
        """Return the answer that gives a cookie for the token; None where there is no right one."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        for name, value in _query(scope):
            if name == TOKEN and self._takes(value):
                session = BrowserSession(cookie=secrets.token_urlsafe(32))
                self._sessions = [*self._sessions[-_SESSIONS_LIMIT + 1 :], session]
                answer = RedirectResponse(_without_token(scope), 303)
                answer.headers["Cache-Control"] = "no-store"
                answer.headers["Referrer-Policy"] = "no-referrer"
                answer.set_cookie(
                    self._cookie, session.cookie, httponly=True, samesite="strict", path="/"
                )
                return answer
        return None

    def _takes(self, given: str) -> bool:
        if _same(self.token, given):
            return True
        for token in self._once:
            if _same(token, given):
                self._once.discard(token)
                return True
        return False


def _same(kept: str, given: str) -> bool:
    """Compare in a time that says nothing of how much fits."""
    return hmac.compare_digest(kept.encode(), given.encode("utf-8", "surrogatepass"))


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _has_token(scope: Scope) -> bool:
    return any(name == TOKEN for name, _ in _query(scope))


def _without_token(scope: Scope) -> str:
    query = urlencode([(name, value) for name, value in _query(scope) if name != TOKEN])
    # One slash: `//host/` would be another server's address.
    path = "/" + scope.get("raw_path", b"/").decode("latin-1").lstrip("/\\")
    return f"{path}?{query}" if query else path


def _guarded(send: Send) -> Send:
    """Return a `send` that says to browsers what the console's pages may do."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            if headers.get("content-type", "").startswith("text/html"):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return guarded


_REFUSED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sqswarm</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"></head>
<body style="font-family: system-ui, sans-serif; max-width: 40rem; margin: 4rem auto">
<main><h1>Not from here</h1><p>The console did not answer: {why}.</p>
<p>Open the whole URL that <code>sqswarm ui</code> printed, with its token. A restart makes a new
one.</p></main></body></html>"""


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: HTTP 403
        return
    page = HTMLResponse(_REFUSED.format(why=why), status)
    page.headers["Cache-Control"] = "no-store"
    await page(scope, receive, _guarded(send))
