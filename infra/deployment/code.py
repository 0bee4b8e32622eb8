"""New code for functions that exist, round CloudFormation: on emulators, and while developing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, translated
from sqswarm.infra.resources import Topology

_THREADS = 8
_LOOK_EVERY_S = 0.05
_WAIT_S = 60.0


def replace_code(
    topology: Topology, clients: ClientFactory, *, key: str, look_every_s: float = _LOOK_EVERY_S
) -> None:
    """Give every function of the stage the archive at `key`; raises what the endpoint refuses.

    Whether a function has it is asked every `look_every_s`: AWS bears fewer questions.
    """
    client = clients("lambda")

    def replace(function: str) -> None:
        try:
            client.update_function_code(
                FunctionName=function, S3Bucket=topology.names.bucket, S3Key=key
            )
            # Not function_updated_v2: its GetFunction makes the emulator sign a link each time.
            client.get_waiter("function_updated").wait(
                FunctionName=function,
                WaiterConfig={"Delay": look_every_s, "MaxAttempts": int(_WAIT_S / look_every_s)},
            )
        except (ClientError, BotoCoreError) as error:
            raise translated(error, "lambda") from error

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(replace, [function.name for function in topology.functions]))
