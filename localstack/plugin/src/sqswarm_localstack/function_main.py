"""The first lines that run in a function's process: ``python function_main.py HANDLER``.

Runs under the project's interpreter, not LocalStack's, so it uses the standard library and
awslambdaric only.
"""

import os
import select
import signal
import sys
import threading

# What the kernel may need between closing a dead emulator's sockets and closing its pipe.
_CLOSING_S = 1.0


def _die_with_emulator(pipe_fd: int) -> None:
    """Kill our process group when the other end of the pipe closes.

    The emulator holds that end. However it dies, the kernel closes it; the parent-death signal
    of Linux would do the same only for the thread that started us, and threads come and go.
    """
    while os.read(pipe_fd, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def _report_init_errors_under_the_secret() -> None:
    """Let the client's own requests reach a Runtime API whose address ends in a secret path.

    Its native part puts the path before all others; its Python part, which reports a failed init,
    takes host and port only.
    """
    from awslambdaric.lambda_runtime_client import BaseLambdaRuntimeClient

    address, _, secret = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    stock = BaseLambdaRuntimeClient.call_rapid

    def call_rapid(self, method, endpoint, *rest, **options):  # noqa: ANN001, ANN002, ANN003, ANN202
        self.lambda_runtime_address = address
        return stock(self, method, f"/{secret}{endpoint}", *rest, **options)

    BaseLambdaRuntimeClient.call_rapid = call_rapid


def main() -> None:
    """Watch the emulator, then run AWS's runtime interface client."""
    watch = int(os.environ.pop("SQSWARM_EMULATOR_PIPE"))
    threading.Thread(target=_die_with_emulator, args=(watch,), daemon=True).start()
    # As on AWS, the function's own code comes first on the path.
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]

    from awslambdaric.__main__ import main as run_runtime

    _report_init_errors_under_the_secret()
    try:
        run_runtime(sys.argv)
    except Exception:
        # Mostly a Runtime API that is gone. If that is because the emulator died, what the function
        # started has to end with it.
        if select.select([watch], [], [], _CLOSING_S)[0]:
            os.killpg(0, signal.SIGKILL)
        raise


main()
