"""Logs: the standard library's, one JSON object a line: noun, past-tense verb, fields beside it.

Our lines go to the loggers `sqswarm` and `sqswarm.agent.<name>`, so levels and handlers are set as
anywhere. Lines that an agent writes to loggers of its own come out as JSON too, with the task they
belong to.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import field
from time import gmtime, strftime
from typing import Any, TextIO

from sqswarm.backends.redact import hide, hide_all
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.json import dumps
from sqswarm.schemas.value import dataclass

_LOGGER = logging.getLogger("sqswarm")
_QUIET = (
    *("aiobotocore", "anthropic", "asyncio", "boto3", "botocore"),
    *("httpx", "httpx2", "mangum", "mcp", "urllib3"),
)
"""Libraries whose every request is no event of ours: from WARNING on they are heard."""

_current: ContextVar[Mapping[str, Any]] = ContextVar("sqswarm_log_fields")


@dataclass(frozen=True, kw_only=True)
class Log:
    """Writes events with bound fields to a logger: `log.info("page.read", pages=3)`."""

    logger: logging.Logger = _LOGGER
    bound: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_agent(cls, name: str) -> Log:
        """Return the log of an agent, or of another part of the swarm that has a name."""
        return cls(logger=logging.getLogger(f"sqswarm.agent.{name}"), bound={"agent": name})

    @classmethod
    def to(cls, stream: TextIO) -> Log:
        """Return a log that writes to a stream and to nothing else."""
        logger = logging.Logger("sqswarm", logging.INFO)  # noqa: LOG001 - one of its own
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        return cls(logger=logger)

    def bind(self, **fields: Any) -> Log:
        """Return a log that adds these fields to every event."""
        return Log(logger=self.logger, bound={**self.bound, **fields})

    def attach(self) -> None:
        """Let lines of other loggers carry this log's fields, in this context (PEP 567)."""
        _current.set(self.bound)

    def debug(self, event: str, /, **fields: Any) -> None:
        """Write what only somebody who looks for a mistake wants to know."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Write what happened."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Write what went wrong and was handled."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Write what somebody should look at."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self.logger.isEnabledFor(level):
            # Without secrets here already: another handler than ours may write it down.
            said, hidden = hide_all([event, {**self.bound, **fields}])
            self.logger.log(level, "%s", said, extra={"fields": hidden})


class JsonFormatter(logging.Formatter):
    """One line of JSON a record, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: what was said, the fields, and a traceback where there is one."""
        fields = getattr(record, "fields", None)
        line = {"level": record.levelname, "event": record.getMessage()}
        if fields is None:  # another's logger, perhaps within an agent
            line = hide_all({**line, **_current.get({}), "logger": record.name})
        else:  # ours, and hidden already
            line.update(fields)
        if record.exc_info:
            line["traceback"] = hide(self.formatException(record.exc_info))
        seconds = strftime("%Y-%m-%dT%H:%M:%S", gmtime(record.created))
        line["timestamp"] = f"{seconds}.{int(record.msecs):03d}Z"
        try:
            return dumps(line)
        except (TypeError, ValueError):
            return dumps({name: hide(str(value)) for name, value in line.items()})


class _StandardOutput(logging.StreamHandler):  # type: ignore[type-arg] # generic in stubs only
    """Writes to whatever standard output is by then: Lambda's runtime puts its own in place."""

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        """Leave it: there is nothing to keep."""


class _WithTask(logging.Filter):
    """Gives records the task they belong to, for formatters of whatever making."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name in ("agent", "task_id"):
            if not hasattr(record, name):
                setattr(record, name, _current.get({}).get(name))
        return True


_WITH_TASK = _WithTask()


def configure_logging(environment: Mapping[str, str] | None = None) -> Log:
    """Send this process's log lines to standard output as JSON; returns the log.

    For entrypoints, before they import anybody's agents. Handlers that are set already stay, and
    then ours is not added; but on Lambda AWS's own goes, for it would say every line once more.
    SQSWARM_LOG_LEVEL or AWS_LAMBDA_LOG_LEVEL is the least level heard (default INFO).
    Raises InvalidSettings for what is no level.
    """
    environment = os.environ if environment is None else environment
    name = "SQSWARM_LOG_LEVEL" if environment.get("SQSWARM_LOG_LEVEL") else "AWS_LAMBDA_LOG_LEVEL"
    said = (environment.get(name) or "INFO").upper()
    level = {"TRACE": logging.DEBUG, "FATAL": logging.CRITICAL}.get(said)  # Lambda's own words
    level = logging.getLevelNamesMapping().get(said) if level is None else level
    if level is None:
        raise InvalidSettings(f"{name}={said!r} is no level", hint="Write DEBUG, INFO, WARNING …")
    root = logging.getLogger()
    ours = any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers)
    if "AWS_LAMBDA_FUNCTION_NAME" in environment and not ours:
        root.handlers.clear()
    if not root.handlers:
        handler = _StandardOutput()
        handler.setFormatter(JsonFormatter())
        root.addHandler(handler)
    for one in root.handlers:
        one.addFilter(_WITH_TASK)
    root.setLevel(level)
    for quiet in _QUIET:
        logger = logging.getLogger(quiet)
        if logger.level == logging.NOTSET:
            logger.setLevel(max(level, logging.WARNING))
    return Log()
