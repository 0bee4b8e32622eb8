"""What a newcomer's machine may lack: Python, extras, a free port, the right time."""

from __future__ import annotations

import http.client
import ssl
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib.util import find_spec

from sqswarm.infra.cli.findings import Finding, ok
from sqswarm.schemas.settings import Settings

_OLDEST, _NEWEST_LOCAL = (3, 11), (3, 13)
_EXTRAS = {
    "local": (("awslambdaric", "uv", "watchfiles"), "the local AWS and `sqswarm dev`"),
    "ui": (("nicegui",), "the console, `sqswarm ui`"),
}
_PATIENCE_S = 3.0
_SKEW_WARN_S = 60.0
_SKEW_FAIL_S = 300.0
"""Source: AWS refuses a Signature Version 4 that is more than five minutes off."""


def check_machine() -> Iterator[Finding]:
    """Yield what is found of the interpreter and of what is installed in it."""
    yield python_finding(sys.version_info[:3])
    for extra, (packages, what) in _EXTRAS.items():
        missing = [name for name in packages if find_spec(name) is None]
        if not missing:
            yield ok(f"extra {extra!r}", f"installed: {what}")
            continue
        yield Finding(
            what=f"extra {extra!r}",
            verdict="warn" if extra == "local" else "ok",
            found=f"{what}: not here without {', '.join(missing)}",
            fix=f"Where you want it: pip install 'sqswarm[{extra}]'",
        )


def python_finding(version: tuple[int, ...]) -> Finding:
    """Return what there is to say of a Python version."""
    text = ".".join(map(str, version))
    if version[:2] < _OLDEST:
        fix = "Use Python 3.11, 3.12 or 3.13: make a new environment with it."
        return Finding(what="python", verdict="fail", found=f"{text} is too old", fix=fix)
    if version[:2] > _NEWEST_LOCAL:
        fix = "Use Python 3.11, 3.12 or 3.13 for the local AWS, or `up --emulator docker`."
        found = f"{text} is newer than the local AWS's packages support"
        return Finding(what="python", verdict="warn", found=found, fix=fix)
    return ok("python", f"{text} at {sys.executable}")


def port_taken(port: int) -> str | None:
    """Return who listens on a port, as far as the system tells; None where it is free."""
    from sqswarm.infra.local.start import cannot_bind, holder

    return None if cannot_bind(port) is None else holder(port)


def check_clock(settings: Settings) -> Iterator[Finding]:
    """Yield how far this clock is from AWS's, which refuses requests that are signed too far off.

    An emulator has this machine's clock. Where AWS's is not to be had, nothing is said.
    """
    if settings.endpoint_url is not None:
        return
    try:
        host = f"sts.{settings.region}.amazonaws.com"
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, timeout=_PATIENCE_S, context=context)
        connection.request("HEAD", "/")
        told = parsedate_to_datetime(connection.getresponse().headers["Date"]).timestamp()
        connection.close()
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return
    yield clock_finding(time.time() - told)


def clock_finding(off_s: float) -> Finding:
    """Return what there is to say of a clock that is `off_s` seconds ahead."""
    if abs(off_s) < _SKEW_WARN_S:
        return ok("clock", "agrees with AWS's")
    way = "ahead of" if off_s > 0 else "behind"
    return Finding(
        what="clock",
        verdict="fail" if abs(off_s) >= _SKEW_FAIL_S else "warn",
        found=f"{abs(off_s):.0f} s {way} AWS's; over {_SKEW_FAIL_S:.0f} s nothing is answered",
        fix="Set the clock, and let it be kept: timedatectl set-ntp true",
    )
