"""Call: one request on its way to AWS, and what it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_TASK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came: `service` is AWS's signing name, `operation` the API's own name."""

    service: str
    operation: str
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
        """Return what a request asks for.

        Source: each protocol's way of naming it: `X-Amz-Target` (JSON), `Action` (Query), method
        and path (REST).
        """
        found = _SERVICE.search(headers.get("Authorization", ""))
        service = found.group(1) if found else ""
        if target := headers.get("X-Amz-Target"):
            operation = target.rpartition(".")[2]
        elif headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            operation = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        else:
            operation = _rest(service, method, path)
        return cls(service=service, operation=operation, body=body)

    @cached_property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")

    @cached_property
    def json(self) -> Any:
        """Return the body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)

    @cached_property
    def task_ids(self) -> frozenset[str]:
        """Return the tasks that the request names anywhere."""
        return frozenset(_TASK_ID.findall(self.text))


def _rest(service: str, method: str, path: str) -> str:
    if service != "s3":
        return f"{method} {path.partition('?')[0]}"
    verb = {"GET": "Get", "PUT": "Put", "HEAD": "Head", "DELETE": "Delete"}.get(method, method)
    return f"{verb}Object" if path.strip("/").count("/") else f"{verb}Bucket"
