"""Requirements: what functions on AWS import beside our own code, as Lambda's own wheels.

boto3 is not among them: Lambda's Python runtimes bring it, and a copy of our own would add 15 MB
to every cold start. The rest is pinned to the versions that this environment was tested with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from sqswarm.infra.local.environment import find_uv
from sqswarm.schemas.errors import DeployFailed

_OURS = ("pydantic", "jsonschema")
_SERVER = ("mcp", "mangum")
_TRACING = (
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-propagator-aws-xray",
    "opentelemetry-sdk",
)
LAMBDA_BRINGS = frozenset(
    ["awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"]
)
"""What functions on AWS can import besides. Source: Lambda's Python runtimes, November 2025."""

_PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}


@dataclass(frozen=True)
class Requirements:
    """Our own needs, pinned, and the user's. `architecture` is Lambda's word.

    `server` adds what the MCP server imports, `tracing` OpenTelemetry.
    """

    extra: tuple[str, ...]
    architecture: str
    server: bool = False
    tracing: bool = False

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Return the requirements as pip takes them.

        Raises DeployFailed where traces are asked for and OpenTelemetry is not installed here.
        """
        ours = (*_OURS, *(_SERVER if self.server else ()), *(_TRACING if self.tracing else ()))
        if self.tracing and not pinned(_TRACING[-1:]):
            message = "[tool.sqswarm] tracing packs OpenTelemetry, and it is not installed here"
            raise DeployFailed(message, hint="Install it: pip install 'sqswarm[otel]'.")
        return tuple(dict.fromkeys((*pinned(ours), *self.extra)))

    @property
    def digest(self) -> str:
        """Return what tells one set from another."""
        return sha256("\n".join([self.architecture, _python(), *self.lines]).encode()).hexdigest()

    def installed(self) -> Path:
        """Return a folder with the requirements, made once per digest.

        Raises DeployFailed where pip finds no wheel for Lambda's platform.
        """
        home = Path(os.environ.get("SQSWARM_HOME") or Path.home() / ".sqswarm")
        folder = home / "packages" / self.digest[:16]
        if folder.exists():
            return folder
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        done = subprocess.run(  # noqa: S603 - our own command
            [*self._installer(), "--target", str(draft), *self.lines],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            message = f"the requirements could not be packed:\n{done.stderr.strip()[-1500:]}"
            hint = "Each requirement needs a wheel for Linux; see `requirements` in pyproject.toml."
            raise DeployFailed(message, hint=hint)
        shutil.rmtree(draft / "bin", ignore_errors=True)
        draft.replace(folder)
        return folder

    def _installer(self) -> list[str]:
        """Return pip's command, or uv's: environments that uv makes have no pip."""
        common = ["--quiet", "--only-binary=:all:", "--python-version", _python()]
        platform = _PLATFORMS[self.architecture]
        if find_spec("pip") is not None:
            pip = [sys.executable, "-m", "pip", "install", "--no-compile"]
            pip += ["--disable-pip-version-check", "--implementation", "cp"]
            return [*pip, *common, "--platform", platform]
        if (uv := find_uv()) is not None:
            kind, _, machine = platform.partition("_")
            return [uv, "pip", "install", *common, "--python-platform", f"{machine}-{kind}"]
        message = "packing requirements takes pip or uv, and neither is installed here"
        raise DeployFailed(message, hint="Install one: pip install uv.")


def pinned(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names` and all they require as `name==version`, in the versions installed here."""
    pins: dict[str, str] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name in pins:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:  # an optional part that is not installed is not needed
            continue
        pins[name] = found.version
        for line in found.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    return tuple(f"{name}=={version}" for name, version in sorted(pins.items()))


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
