"""Redact: secrets are kept out of everything that is written down.

Whatever `sqswarm.backends.secrets` resolved in this process is replaced in logs, recorded steps and
tool outputs; so is what looks like a key.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any

from sqswarm.schemas.json import dumps

HIDDEN = "[secret]"
_SHORTEST = 6
"""A shorter value is no secret, and replacing it would garble every text."""

_LOOKS_LIKE_A_KEY = (
    r"sk-ant-[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA|LKIA|LSIA)[A-Z0-9]{16,}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"
)
_MARKS = ("sk-ant-", "KIA", "SIA", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "xox", "-----BEGIN")
"""Every line of the log is looked through: these are found in a tenth of the time."""

_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ANTHROPIC_API_KEY")

_secrets: set[str] = set()


def remember_secret(value: str) -> None:
    """Hide `value` from now on."""
    _secrets.add(value)


def hide(text: str) -> str:
    """Return `text` without any secret this process knows, or that looks like one."""
    values = [*_secrets, *(os.environ.get(name, "") for name in _ENVIRONMENT)]
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            for written in _writings(value):
                text = text.replace(written, HIDDEN)
    if any(mark in text for mark in _MARKS):
        text = re.sub(_LOOKS_LIKE_A_KEY, HIDDEN, text, flags=re.DOTALL)
    return text


@cache
def _writings(value: str) -> tuple[str, ...]:
    """Return a value as it is and, where that differs, as JSON writes it."""
    return tuple({value, dumps(value)[1:-1]})


def hide_all(value: Any) -> Any:
    """Return a JSON value with every text in it hidden as `hide` does."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [hide_all(item) for item in value]
    if isinstance(value, dict):
        return {name: hide_all(item) for name, item in value.items()}
    return value
