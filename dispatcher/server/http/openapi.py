"""The OpenAPI 3.1 document: made of the operations' models and the agents' own schemas."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sqswarm.dispatcher.server.auth.checks import READ, WRITE
from sqswarm.dispatcher.server.http.models import NewTask, Problem
from sqswarm.dispatcher.server.http.operations import IDEMPOTENCY_KEY, Operation
from sqswarm.dispatcher.server.problem import MEDIA_TYPE, TOO_MANY
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.json import JsonObject

_SCHEMAS = "#/components/schemas/"
_ALWAYS = (400, 401, 403, 408, 413, 421, 429, 503)
"""What AuthMiddleware and a stage that is out of reach answer, whatever is asked."""


_HEADER_VALUE = "^[!-~]([ -~]*[!-~])?$"


def document(
    operations: Sequence[Operation], agents: Iterable[CatalogueEntry], scheme: JsonObject | None
) -> JsonObject:
    """Return the document of these operations, with the arguments of these agents.

    `scheme` is how callers show who they are, None where they need not.
    """
    schemas = _schemas(operations)
    paths: JsonObject = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    for operation in operations:  # a query model is described as parameters, not as a schema
        if operation.query is not None:
            schemas.pop(operation.query.__name__, None)
    _add_agents(schemas, list(agents))
    made: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "sqswarm", "version": version("sqswarm")},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if scheme is not None:
        made["components"]["securitySchemes"] = {"credentials": scheme}
        made["security"] = [{"credentials": []}]
    return made


def _schemas(operations: Iterable[Operation]) -> JsonObject:
    models: dict[type[BaseModel], None] = {Problem: None}
    for operation in operations:
        models.update({m: None for m in (operation.body, operation.query, operation.answer) if m})
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template=_SCHEMAS + "{model}"
    )
    return dict(found["$defs"])


def _operation(operation: Operation, schemas: JsonObject) -> JsonObject:
    summary, _, more = inspect.cleandoc(operation.act.__doc__ or "").partition("\n\n")
    described: JsonObject = {
        "operationId": operation.act.__name__,
        "summary": summary.replace("\n", " "),
        "description": f"{more}\n\nScope: {READ if operation.method == 'GET' else WRITE}".strip(),
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    return described


def _parameters(operation: Operation, schemas: JsonObject) -> list[JsonObject]:
    found: list[JsonObject] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        for name, schema in schemas[operation.query.__name__]["properties"].items():
            found.append({"name": name, "in": "query", "schema": schema})
    if operation.takes_idempotency_key:
        key = {"type": "string", "maxLength": 255, "pattern": _HEADER_VALUE}
        found.append({"name": IDEMPOTENCY_KEY, "in": "header", "schema": key})
    return found


def _responses(operation: Operation) -> JsonObject:
    good: JsonObject = {"description": "Done", "content": _json(operation.answer)}
    if operation.status == HTTPStatus.CREATED:
        good["headers"] = {"Location": {"schema": {"type": "string"}}}
    refusals: JsonObject = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": _json(Problem, MEDIA_TYPE),
        }
        for status in sorted({*_ALWAYS, *operation.refusals})
    }
    refusals[str(TOO_MANY)]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return {str(operation.status): good, **refusals}


def _json(model: type[BaseModel], media_type: str = "application/json") -> JsonObject:
    return {media_type: {"schema": {"$ref": _SCHEMAS + model.__name__}}}


def _add_agents(schemas: JsonObject, agents: list[CatalogueEntry]) -> None:
    """Add each agent's arguments, and say which belong to which agent."""
    pairs = []
    for agent in agents:
        name = f"arguments.{agent.name}"
        schemas[name] = _rebased(agent.input_schema, f"{_SCHEMAS}{name}/$defs/")
        pairs.append(
            {
                "title": agent.title,
                "required": ["arguments"] if agent.input_schema.get("required") else [],
                "properties": {
                    "agent": {"const": agent.name},
                    "arguments": {"$ref": _SCHEMAS + name},
                },
            }
        )
    if pairs:
        schemas[NewTask.__name__]["anyOf"] = pairs


def _rebased(schema: Any, definitions: str) -> Any:
    """Return a schema whose own definitions are found from the document's root."""
    if isinstance(schema, list):
        return [_rebased(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: definitions + value.removeprefix("#/$defs/")
        if key == "$ref" and isinstance(value, str) and value.startswith("#/$defs/")
        else _rebased(value, definitions)
        for key, value in schema.items()
    }
