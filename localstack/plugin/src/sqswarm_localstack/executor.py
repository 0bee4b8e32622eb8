"""LocalStack's Lambda executor for machines without Docker: functions are local processes."""

import contextlib
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import (
    LambdaRuntimeException,
    RuntimeExecutor,
)

from sqswarm_localstack import code_archives, log_lines
from sqswarm_localstack.sandbox import Answer, Invocation, Sandbox, SandboxError, TimedOutError

# Names that only LocalStack's own init binary understands.
_NOT_FOR_FUNCTIONS = ("LOCALSTACK_", "AWS_XRAY_", "_AWS_XRAY_", "EDGE_PORT")


_LIVE: "weakref.WeakSet[HostRuntimeExecutor]" = weakref.WeakSet()


def kill_all() -> None:
    """End every function process now, also in the middle of an invocation."""
    for executor in list(_LIVE):
        executor.kill()


def function_python() -> str:
    """The interpreter whose site-packages the functions' code-only archives rely on.

    Raises LambdaRuntimeException when SQSWARM_FUNCTION_PYTHON is not set.
    """
    python = os.environ.get("SQSWARM_FUNCTION_PYTHON")
    if not python:
        message = "SQSWARM_FUNCTION_PYTHON does not name the interpreter to run functions with"
        raise LambdaRuntimeException(message)
    return python


class HostRuntimeExecutor(RuntimeExecutor):
    """One execution environment. A process that dies is replaced at the next invocation.

    AWS does the same: after a time-out or an exit the environment is initialised again, under
    the same log stream.
    """

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002
        """Reserve the file for the output; the process starts with `start`."""
        super().__init__(id, function_version)
        self._environ: dict[str, str] = {}
        self._sandbox: Sandbox | None = None
        self._code: Path | None = None
        self._stopped = False
        self._busy = False
        self._lock = threading.Lock()
        _LIVE.add(self)
        logs = Path(config.dirs.tmp) / "function-output"
        logs.mkdir(parents=True, exist_ok=True)
        self._log_path = logs / f"{function_version.id.function_name}-{id}.log"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack the code and compile what came without, so that no cold start has to."""
        runtime = function_version.config.runtime or "none"
        if not runtime.startswith("python"):
            message = f"runtime {runtime}: local processes run Python functions only"
            raise LambdaRuntimeException(message)
        code_archives.unpack(function_version.config.code, python=function_python())

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Have nothing to clean: LocalStack deletes the unpacked code itself."""

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process; its init is awaited by the first invocation."""
        try:
            self._code = code_archives.hold(self.function_version.config.code)
        except FileNotFoundError as error:
            message = f"the code was replaced before its process started: {error}"
            raise LambdaRuntimeException(message) from error
        self._environ = self._function_environ(env_vars)
        self._ensure_sandbox(busy=False)

    def stop(self) -> None:
        """End the process; an invocation in flight is let finish, as when AWS updates code."""
        with self._lock:
            self._stopped = True
            if self._busy:
                return
        self._dispose()

    def kill(self) -> None:
        """End the process now; an invocation in flight fails with Runtime.ExitError."""
        with self._lock:
            self._stopped = True
        if self._sandbox:
            self._sandbox.stop()

    def _dispose(self) -> None:
        if self._sandbox:
            self._sandbox.close()
        self._log_path.unlink(missing_ok=True)
        with self._lock:
            code, self._code = self._code, None
        if code:
            code_archives.let_go(code)

    def get_address(self) -> str:
        """Where the function runs: on this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Where the function finds LocalStack: on this machine."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Unused: each process has a Runtime API of its own."""
        return ""

    def get_logs(self) -> str:
        """Everything the process wrote."""
        with contextlib.suppress(OSError):
            return self._log_path.read_text(errors="replace")
        return ""

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation to its end, whatever that end is."""
        sandbox = self._ensure_sandbox()
        try:
            return self._run(sandbox, payload)
        finally:
            with self._lock:
                self._busy = False
                stopped = self._stopped
            if stopped:
                self._dispose()

    def _run(self, sandbox: Sandbox, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        function = self.function_version.config
        call = Invocation(
            request_id=request_id,
            function_arn=payload["invoked-function-arn"],
            trace_id=payload["trace-id"],
            payload=payload["payload"].encode(),
            timeout_s=function.timeout,
        )
        cold = sandbox.init_ms is None
        begun = time.monotonic()
        failure: SandboxError | None = None
        init_output = ""
        try:
            sandbox.initialise(request_id)
            if cold:
                init_output = sandbox.take_output()
            begun = time.monotonic()
            answer = sandbox.invoke(call)
        except SandboxError as error:
            failure = error
            answer = Answer(payload=error.document, is_error=True)
        logs = log_lines.render(
            log_lines.Run(
                request_id=request_id,
                version=self.function_version.id.qualifier,
                init_output=init_output,
                output=sandbox.take_output(),
                failure=str(failure) if failure else None,
                timed_out=isinstance(failure, TimedOutError),
                duration_ms=(time.monotonic() - begun) * 1000,
                init_ms=sandbox.init_ms if cold else None,
                memory_mb=function.memory_size,
                peak_memory_mb=sandbox.peak_memory_mb(),
            )
        )
        return InvocationResult(request_id, answer.payload, is_error=answer.is_error, logs=logs)

    def _ensure_sandbox(self, *, busy: bool = True) -> Sandbox:
        """Return the running process, or start one in place of the one that died."""
        with self._lock:
            if self._stopped or self._code is None:
                message = "the execution environment was stopped"
                raise LambdaRuntimeException(message)
            self._busy = busy
            if self._sandbox is not None:
                if self._sandbox.alive:
                    return self._sandbox
                self._sandbox.close()
            self._sandbox = Sandbox(
                python=function_python(),
                handler=self.function_version.config.handler,
                cwd=self._code,
                environ=self._environ,
                log_path=self._log_path,
            )
            return self._sandbox

    def _function_environ(self, env_vars: dict[str, Any]) -> dict[str, str]:
        """The function's variables: Lambda's own, those of the template, and a bare system."""
        code = str(self._code)
        lambda_env = {
            name: str(value)
            for name, value in env_vars.items()
            if not name.startswith(_NOT_FOR_FUNCTIONS)
        }
        return {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "LANG": "en_US.UTF-8",
            "PYTHONUNBUFFERED": "1",
            # Marks our processes, so that a launcher finds those a crash left behind.
            "SQSWARM_EMULATOR_RUN": os.environ.get("SQSWARM_EMULATOR_RUN", ""),
            **lambda_env,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.function_version.config.runtime}",
            "LAMBDA_TASK_ROOT": code,
            "LAMBDA_RUNTIME_DIR": code,
        }
