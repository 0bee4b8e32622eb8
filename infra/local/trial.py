"""A trial: one function made, run and deleted, to see that functions run at all."""

from __future__ import annotations

import io
import sys
import zipfile
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.connect import client
from sqswarm.infra.local.emulator import Emulator
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.schemas.settings import Settings

_CODE = "import sqswarm.workers.runtime.batch\ndef handle(event, context):\n    return event\n"


def try_function(emulator: Emulator) -> None:
    """Run a function that imports what every agent's needs.

    Raises EmulatorError with the function's own words where it does not answer.
    """
    functions = client(Settings(endpoint_url=emulator.endpoint_url), "lambda")
    name = f"sqswarm-trial-{uuid4().hex[:8]}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("trial.py", _CODE)
    try:
        functions.create_function(
            FunctionName=name,
            Runtime="python{}.{}".format(*sys.version_info[:2]),
            Role="arn:aws:iam::000000000000:role/trial",
            Handler="trial.handle",
            Code={"ZipFile": archive.getvalue()},
            Timeout=30,
        )
        try:
            waiter = functions.get_waiter("function_active_v2")
            waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 600})
            answer = functions.invoke(FunctionName=name, Payload=b'"ready"')
            said = answer["Payload"].read().decode()
        finally:
            functions.delete_function(FunctionName=name)
    except (ClientError, BotoCoreError) as error:
        said = repr(error)
    if said.strip() != '"ready"':
        message = f"{emulator.kind} is up, but a function does not run in it: {said}"
        hint = f"Its log says more: {emulator.log_path}. Try `sqswarm down` and `sqswarm up`."
        raise EmulatorError(message, hint=hint)
