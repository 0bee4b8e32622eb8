"""Start check: each function is asked once whether it has started, with its agent's code.

What a function lacks would otherwise show in a log that nobody reads while tasks wait.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, error_code, translated
from sqswarm.infra.resources import Function, Topology
from sqswarm.schemas.errors import DeployFailed
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.settings import START_CHECK

_THREADS = 8
_LOG_LINES = 12
_SAYS_NOTHING = frozenset({"TooManyRequestsException", "AccessDeniedException"})
"""It is at work, or whoever asks may not call it: neither tells that it cannot start."""


@dataclass(frozen=True, kw_only=True)
class NotStarted:
    """A function that cannot start: `error` is its own word, `log` the end of what it printed."""

    function: Function
    error: str
    log: str

    def __str__(self) -> str:
        """Say which, why, and where it is written."""
        printed = "".join(f"\n    | {line}" for line in self.log.splitlines()[-_LOG_LINES:])
        name, group = self.function.name, self.function.log_group
        return f"{name} cannot start: {self.error}\n    its log: {group}{printed}"

    def hint(self, *, local: bool) -> str:
        """Return what to do about it."""
        if local and "No module named" in f"{self.error}{self.log}":
            return (
                "The local AWS runs functions under the Python that started it: install what is "
                "missing there, or run `sqswarm down` and `sqswarm up` from this environment."
            )
        return "Mend what it names and run `sqswarm deploy` again."


def start_check(topology: Topology, clients: ClientFactory, *, local: bool) -> list[NotStarted]:
    """Start the stage's functions and return those that cannot.

    On an emulator functions that differ in nothing but their agent's name have one environment
    and one archive, so that one of them stands for all. Raises Unreachable where nothing answers.
    """
    client = clients("lambda")
    functions = list(_different(topology.functions) if local else topology.functions)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda function: _start(client, function), functions)
    return [failed for failed in found if failed is not None]


def check_start(topology: Topology, clients: ClientFactory, *, local: bool) -> None:
    """Raise DeployFailed where a function of the stage cannot start."""
    failed = start_check(topology, clients, local=local)
    if failed:
        raise DeployFailed("\n".join(map(str, failed)), hint=failed[0].hint(local=local))


def _different(functions: tuple[Function, ...]) -> Iterator[Function]:
    seen = []
    for function in functions:
        variables = {k: v for k, v in function.env.items() if k != "SQSWARM_AGENT"}
        kind = (function.handler, variables)
        if kind not in seen:
            seen.append(kind)
            yield function


def _start(client: Any, function: Function) -> NotStarted | None:
    try:
        answer = client.invoke(
            FunctionName=function.name, Payload=dumps(START_CHECK), LogType="Tail"
        )
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error_code(error) in _SAYS_NOTHING:
            return None
        raise translated(error, "lambda") from error
    said = loads(answer["Payload"].read() or b"null")
    document = said if isinstance(said, dict) else {}
    if not answer.get("FunctionError") and document.get("started"):
        return None
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    kind = document.get("errorType", "")
    why = document.get("error") or f"{kind}: {document.get('errorMessage', said)}".lstrip(": ")
    return NotStarted(function=function, error=why, log=log)
