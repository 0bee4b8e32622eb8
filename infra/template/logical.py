"""Logical ids: stable names of resources inside the template, unique for every agent name."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from troposphere import GetAtt, Ref, Sub

_PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")


def camel(name: str) -> str:
    """Return a name as part of a logical id: `read-me` → `ReadMe`.

    A name that does not survive the change (`a_b`, `a--b`) gets a digest, so that no two meet.
    """
    joined = "".join(part.capitalize() for part in re.split(r"[^a-z0-9]+", name))
    return joined if _PLAIN.fullmatch(name) else f"{joined}{sha256(name.encode()).hexdigest()[:8]}"


def digest(*parts: str) -> str:
    """Return a short name for a pair that has no short name of its own."""
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def text(value: str) -> Any:
    """Return `value`, with its `${AWS::…}` filled in by CloudFormation where it has any."""
    return Sub(value) if "${" in value else value


def arn(title: str) -> GetAtt:
    """Return the ARN of the resource with this logical id."""
    return GetAtt(title, "Arn")


def ref(title: str) -> Ref:
    """Return the physical id of the resource with this logical id."""
    return Ref(title)
