"""Make an emulator forget everything, without a restart."""

import http.client

from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.infra.local.health import request
from sqswarm.infra.local.running import recorded

_TIMEOUT_S = 60.0


def reset(port: int) -> None:
    """Delete every resource of every service and account of the emulator on a port.

    Raises EmulatorError when it does not answer or cannot do it.
    """
    known = recorded(port)
    kind: EmulatorKind = known.kind if known else "localstack"
    key_id = known.access_key_id if known else None
    path = "/_ministack/reset" if kind == "ministack" else "/_localstack/state/reset"
    try:
        status, body = request(port, "POST", path, key_id=key_id, timeout_s=_TIMEOUT_S)
    except (OSError, http.client.HTTPException) as error:
        message = f"no emulator answers on port {port}: {error}"
        raise EmulatorError(message, hint=f"Start one with `sqswarm up --port {port}`.") from error
    if status != http.client.OK:
        message = f"{kind} on port {port} could not reset itself: {status} {body[:200]!r}"
        hint = "Restart it with `sqswarm down` and `sqswarm up`."
        if kind == "docker":
            hint = f"The image has no reset in this version. {hint}"
        raise EmulatorError(message, hint=hint)
