"""Ask an emulator over HTTP whether it answers."""

import http.client
import json
from typing import Any

from sqswarm.infra.local.emulator import Emulator, EmulatorKind

# Both answer on the loopback interface in milliseconds, unless the machine is overloaded.
_TIMEOUT_S = 5.0


def health_path(kind: EmulatorKind) -> str:
    """Return the path of the emulator's health report."""
    return "/_ministack/health" if kind == "ministack" else "/_localstack/health"


def request(
    port: int, method: str, path: str, *, key_id: str | None = None, timeout_s: float = _TIMEOUT_S
) -> tuple[int, bytes]:
    """Send a request to the emulator on a port; returns status and body.

    All but the health report needs the emulator's `key_id`. Raises OSError or
    http.client.HTTPException when it does not answer.
    """
    headers = {"Content-Length": "0"} if method != "GET" else {}
    if key_id:
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={key_id}/-/-/-/aws4_request"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def health_report(port: int, kind: EmulatorKind) -> dict[str, Any] | None:
    """Return what the emulator says of itself, or None when nothing fitting answers."""
    try:
        status, body = request(port, "GET", health_path(kind))
        report = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return report if status == http.client.OK and isinstance(report, dict) else None


def is_healthy(emulator: Emulator) -> bool:
    """Whether the emulator answers its health check."""
    return health_report(emulator.port, emulator.kind) is not None
