"""How the command line fails: one screen, what is wrong and what to do, and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from dataclasses import dataclass

import typer

from sqswarm.infra.cli.output import note, print_json_line

INTERRUPTED = 130
"""Source: shells report a process ended by signal 2 (SIGINT) as 128 + 2."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What is told of an error."""

    kind: str
    message: str
    hint: str
    exit_code: int


def failure_of(error: BaseException) -> Failure:
    """Return what to tell of `error`; one that nobody foresaw says how to see all of it."""
    kind = type(error).__name__
    hint = getattr(error, "hint", None)
    if isinstance(error, typer.TyperException):
        return Failure(
            kind="UsageError",
            message=error.format_message(),
            hint="See `sqswarm --help`, or `sqswarm VERB --help`.",
            exit_code=2,
        )
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Failure(
            kind="Interrupted",
            message="interrupted",
            hint="Tasks that were submitted go on; `sqswarm list` shows them.",
            exit_code=INTERRUPTED,
        )
    if isinstance(hint, str):
        code = getattr(error, "exit_code", 3)  # of the local emulator: the swarm is out of reach
        return Failure(kind=kind, message=str(error), hint=hint, exit_code=code)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        hint = "Make room on that disk, then run it again."
        return Failure(kind=kind, message=str(error), hint=hint, exit_code=1)
    return Failure(
        kind=kind,
        message=f"{kind}: {error}",
        hint="This one was not foreseen: run it again with --debug for the traceback.",
        exit_code=1,
    )


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell of `error` on stderr and return the exit code.

    With --json too it goes to stderr, as `{"error": {"type", "message", "hint"}}`: stdout holds
    results only.
    """
    failure = failure_of(error)
    if debug:
        note("".join(traceback.format_exception(error)))
    if as_json:
        told = {"type": failure.kind, "message": failure.message, "hint": failure.hint}
        print_json_line({"error": told}, file=sys.stderr)
    else:
        typer.secho("error: ", err=True, fg="red", bold=True, nl=False)
        note(failure.message)
        typer.secho("  fix: ", err=True, fg="green", bold=True, nl=False)
        note(failure.hint)
    return failure.exit_code
