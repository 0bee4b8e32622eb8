"""One function process: started, initialised, invoked, killed."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from sqswarm_localstack.runtime_api import ApiRequest, RuntimeApi

_FUNCTION_MAIN = Path(__file__).with_name("function_main.py")
# AWS gives init 10 s. A laptop that starts twenty environments at once is not AWS.
INIT_TIMEOUT_S = 60.0
# How often to look at the process while nothing arrives, where the kernel does not tell us.
_LOOK_EVERY_S = 0.05
_LOG_FILE_MAX_BYTES = 4 * 1024 * 1024
_MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100


class SandboxError(Exception):
    """The process could not carry the invocation to its end; carries AWS's error document."""

    def __init__(self, error_type: str, message: str, *, document: bytes | None = None) -> None:
        """Make the error document, unless the runtime itself reported one."""
        super().__init__(message)
        self.document = (
            document or json.dumps({"errorType": error_type, "errorMessage": message}).encode()
        )


class TimedOutError(SandboxError):
    """The function used up its time-out; its process group was killed."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What the runtime needs to know of one call."""

    request_id: str
    function_arn: str
    trace_id: str
    payload: bytes
    timeout_s: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the function returned or raised."""

    payload: bytes
    is_error: bool


class Sandbox:
    """A process that runs one function and handles one invocation at a time."""

    def __init__(
        self, *, python: str, handler: str, cwd: Path, environ: Mapping[str, str], log_path: Path
    ) -> None:
        """Start the process; it imports the function while the caller goes on."""
        self.started_at = time.monotonic()
        self.init_ms: float | None = None
        self._api = RuntimeApi()
        self._look_every_s = _LOOK_EVERY_S
        self._waiting: ApiRequest | None = None
        self._lock = threading.Lock()
        self._log_path = log_path
        self._log_offset = log_path.stat().st_size if log_path.exists() else 0
        watch, self._alive = os.pipe()
        try:
            with log_path.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                    [python, str(_FUNCTION_MAIN), handler],
                    cwd=cwd,
                    env={
                        **environ,
                        "AWS_LAMBDA_RUNTIME_API": self._api.address,
                        "SQSWARM_EMULATOR_PIPE": str(watch),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(watch,),
                    # A group of its own, so that what the function starts dies with it.
                    start_new_session=True,
                )
        finally:
            os.close(watch)
        if hasattr(os, "pidfd_open"):
            self._api.watch_process(self._process.pid)
            self._look_every_s = 5.0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def initialise(self, request_id: str) -> None:
        """Wait until the function's module is imported and the runtime asks for work.

        Raises SandboxError when the import fails, the process exits or init takes too long.
        """
        if self._waiting is not None:
            return
        request = self._receive(time.monotonic() + INIT_TIMEOUT_S, request_id)
        if request is None:
            self.stop()
            message = f"RequestId: {request_id} Error: Init timed out after {INIT_TIMEOUT_S:.2f} s"
            raise TimedOutError("Sandbox.Timedout", message)
        if request.path.endswith("/init/error"):
            self._api.reply(request, HTTPStatus.ACCEPTED)
            # Give it the moment it needs to flush its last words.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            self.stop()
            raise SandboxError("", "", document=request.body)
        self._waiting = request
        if self.init_ms is None:
            self.init_ms = (time.monotonic() - self.started_at) * 1000

    def invoke(self, call: Invocation) -> Answer:
        """Run one invocation. Raises SandboxError when the process does not see it through."""
        deadline = time.monotonic() + call.timeout_s
        if self._waiting is None:
            message = "invoked before it was initialised"
            raise RuntimeError(message)
        asked, self._waiting = self._waiting, None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": call.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + call.timeout_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
            "Lambda-Runtime-Trace-Id": call.trace_id,
        }
        with contextlib.suppress(OSError):  # a dead process shows in the wait below
            self._api.reply(asked, HTTPStatus.OK, body=call.payload, headers=headers)
        suffix = f"/invocation/{call.request_id}/"
        while True:
            request = self._receive(deadline, call.request_id)
            if request is None:
                self.stop()
                message = (
                    f"RequestId: {call.request_id} Error: "
                    f"Task timed out after {call.timeout_s:.2f} seconds"
                )
                raise TimedOutError("Sandbox.Timedout", message)
            if suffix in request.path:
                break
        with contextlib.suppress(OSError):
            self._api.reply(request, HTTPStatus.ACCEPTED, body=b'{"status":"OK"}')
        if len(request.body) > _MAX_RESPONSE_BYTES:
            message = (
                f"Response payload size ({len(request.body)} bytes) exceeded maximum allowed "
                f"payload size ({_MAX_RESPONSE_BYTES} bytes)."
            )
            raise SandboxError("Function.ResponseSizeTooLarge", message)
        return Answer(payload=request.body, is_error=request.path.endswith("/error"))

    def take_output(self) -> str:
        """Return what the process wrote to stdout and stderr since the last call."""
        try:
            with self._log_path.open("r+b") as log:
                log.seek(self._log_offset)
                output = log.read()
                self._log_offset = log.tell()
                if self._log_offset > _LOG_FILE_MAX_BYTES:
                    # The process appends, so its next line starts the file anew.
                    log.truncate(0)
                    self._log_offset = 0
        except FileNotFoundError:  # the environment was stopped meanwhile
            return ""
        return output.decode("utf-8", errors="replace")

    def peak_memory_mb(self) -> int:
        """Resident memory at its highest, in MB; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
            return int(line.split()[1]) // 1024
        return 0

    def stop(self) -> None:
        """Kill the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # A reset kills while the invocation it kills ends the process too; a number closed twice
        # may by then be somebody else's file.
        with self._lock:
            alive, self._alive = self._alive, -1
        if alive >= 0:
            os.close(alive)

    def close(self) -> None:
        """Stop the process and free the port."""
        self.stop()
        with self._lock:
            self._api.close()

    def _receive(self, deadline: float, request_id: str) -> ApiRequest | None:
        """Wait for the runtime's next request; None at the deadline, SandboxError at its death."""
        while (remaining := deadline - time.monotonic()) > 0:
            request = self._api.next_request(timeout_s=min(remaining, self._look_every_s))
            if request is not None:
                return request
            if not self.alive:
                self.stop()
                raise SandboxError("Runtime.ExitError", self._exit_message(request_id))
        return None

    def _exit_message(self, request_id: str) -> str:
        code = self._process.returncode
        prefix = f"RequestId: {request_id} Error: Runtime exited"
        if code == 0:
            return f"{prefix} without providing a reason"
        if code > 0:
            return f"{prefix} with error: exit status {code}"
        names = {9: "killed", 15: "terminated", 6: "aborted", 11: "segmentation fault"}
        name = names.get(-code, signal.strsignal(-code) or str(-code))
        return f"{prefix} with error: signal: {name}"
