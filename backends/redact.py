"""Redact: secrets are kept out of everything that is written down.

Whatever `sqswarm.backends.secrets` resolved in this process, what the environment names a secret,
and what looks like one is replaced: in logs, recorded steps, errors, progress, questions, answers,
dead letters and tool outputs. Arguments and results are their caller's, and stay as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from sqswarm.schemas.json import dumps, loads

HIDDEN = "[secret]"
_SHORTEST = 6
"""A shorter value is no secret, and replacing it would garble every text."""

_SHORTEST_OF_ENVIRONMENT = 8
"""What is a secret by its variable's name alone may be a word, as in `CSRF_TOKEN=strict`."""

_SHAPES = {
    "sk-": r"\bsk-(?:(?:ant|proj)-[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{32,})",
    "_live_": r"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "AKIA": r"\bAKIA[A-Z0-9]{16}\b",
    "ASIA": r"\bASIA[A-Z0-9]{16}\b",
    "LKIA": r"\bLKIA[A-Z0-9]{16,}\b",
    "LSIA": r"\bLSIA[A-Z0-9]{16,}\b",
    "gh": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "github_pat_": r"\bgithub_pat_\w{30,}",
    "glpat-": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "xox": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "AIza": r"\bAIza[A-Za-z0-9_-]{35}",
    "hf_": r"\bhf_[A-Za-z0-9]{30,}",
    "eyJ": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
    "://": r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",
    "-----BEGIN": r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
}
"""What stands in a text that holds a secret → its shape: what holds none is looked at quickly."""

_SECRET_NAME = re.compile(
    r"(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)$", re.IGNORECASE
)

_secrets: set[str] = set()


def remember_secret(value: str) -> None:
    """Hide `value` from now on; of a JSON object also the fields that are named as secrets are."""
    _secrets.add(value)
    try:
        fields = loads(value)
    except ValueError:
        return
    if isinstance(fields, dict):
        _secrets.update(
            field
            for name, field in fields.items()
            if isinstance(field, str) and _names_a_secret(name)
        )


def hide(text: str) -> str:
    """Return `text` without any secret this process knows, or that looks like one."""
    return _hidden(text, _known())


def hide_all(value: Any) -> Any:
    """Return a JSON value with every text in it hidden as `hide` does."""
    return _all_hidden(value, _known())


def _all_hidden(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return _hidden(value, secrets)
    if isinstance(value, list | tuple):
        return [_all_hidden(item, secrets) for item in value]
    if isinstance(value, dict):
        return {
            _all_hidden(name, secrets): _all_hidden(item, secrets) for name, item in value.items()
        }
    return value


def _hidden(text: str, secrets: Sequence[str]) -> str:
    for value in secrets:
        for written in _writings(value):
            text = text.replace(written, HIDDEN)
    for mark, shape in _SHAPES.items():
        if mark in text:
            text = re.sub(shape, HIDDEN, text, flags=re.DOTALL)
    return text


def _known() -> list[str]:
    """Return the secrets, the longest first: one may hold another."""
    values = {value for value in _secrets if len(value) >= _SHORTEST}
    for name in filter(_names_a_secret, os.environ):
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST_OF_ENVIRONMENT:
            values.add(value)
    return sorted(values, key=len, reverse=True)


@cache
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


@cache
def _writings(value: str) -> tuple[str, ...]:
    """Return a value as it is and, where that differs, as JSON, Python and addresses write it."""
    written = {value, dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="")}
    return tuple(sorted(written, key=len, reverse=True))
