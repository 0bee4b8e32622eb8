"""From a function's signature to JSON Schema and back: pydantic does both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sqswarm.schemas.errors import InvalidAgent, InvalidReturn
from sqswarm.schemas.json import NESTING_LIMIT, JsonObject, dumps
from sqswarm.schemas.results import WRAPPED_KEY, object_schema
from sqswarm.schemas.value import dataclass
from sqswarm.workers.durable.context import TaskContext

RESERVED = frozenset({"idempotency_key", "delay", "ordering_key", "session_id", "durable", "agent"})
"""Keywords of `Swarm.submit` itself: an agent's argument of that name could not be passed.

`tags` and `notify`, which came later, are not refused: agents had arguments of these names, which
MCP, HTTP and `submit_many` pass.
"""

_CONTEXT = "ctx"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """An agent function's arguments and return value, compiled."""

    name: str
    arguments: Any
    returns: Any | None
    output_schema: JsonObject | None
    wrapped: bool
    takes_context: bool

    @property
    def input_schema(self) -> JsonObject:
        """Return the JSON Schema (2020-12) of the arguments, an object."""
        schema: JsonObject = self.arguments.model_json_schema()
        schema.pop("title", None)
        return schema

    @property
    def event_schema(self) -> JsonObject | None:
        """Return the JSON Schema of results as they are sent: fields with a default always are."""
        from pydantic.json_schema import GenerateJsonSchema

        class AsSent(GenerateJsonSchema):
            def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - theirs
                if field["type"] == "typed-dict-field":
                    return super().field_is_required(field, total)
                return field.get("serialization_exclude_if") is None

        if self.returns is None or self.wrapped:
            return self.output_schema
        schema: JsonObject = self.returns.json_schema(mode="serialization", schema_generator=AsSent)
        return object_schema(schema)[0]

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return keyword arguments of the declared types; raises pydantic's ValidationError."""
        model = self.arguments.model_validate(arguments)
        return {name: getattr(model, name) for name in type(model).model_fields}

    def parse(self, value: Any) -> Any:
        """Return a result as JSON has it as a value of the return annotation.

        Raises InvalidReturn where it does not fit: then the agent that is deployed is another.
        """
        from pydantic import ValidationError

        if self.returns is None:
            return value
        try:
            return self.returns.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            message = f"the agent {self.name!r} returned what its annotation here is not: {error}"
            raise InvalidReturn(
                message,
                hint="Deploy this code, or submit by the agent's name and take the JSON as it is.",
            ) from error

    def encode(self, value: Any) -> tuple[str, bool]:
        """Return the JSON text of a return value and whether it was wrapped.

        Raises InvalidReturn where it breaks the declared type or is no JSON.
        """
        from pydantic import ValidationError
        from pydantic_core import PydanticSerializationError, to_jsonable_python

        try:
            if self.returns is None:
                plain = to_jsonable_python(value)
                wrapped = not isinstance(plain, dict)
            else:
                valid = self.returns.validate_python(value)
                plain = self.returns.dump_python(valid, mode="json")
                wrapped = self.wrapped
            text = dumps(plain, place=WRAPPED_KEY, nesting=NESTING_LIMIT)
        except (
            *(ValidationError, PydanticSerializationError),
            *(TypeError, ValueError, RecursionError),
        ) as error:
            message = f"the agent {self.name!r} returned what its signature does not allow: {error}"
            raise InvalidReturn(message) from error
        return f'{{"{WRAPPED_KEY}":{text}}}' if wrapped else text, wrapped


def compile_signature(name: str, function: Callable[..., Any]) -> Signature:
    """Compile a function's signature.

    Raises InvalidAgent for what JSON arguments cannot express. Called on first use, not at
    import: pydantic is a third of a worker's cold start.
    """
    from pydantic import ConfigDict, TypeAdapter, create_model
    from pydantic.errors import PydanticUserError

    try:
        signature = inspect.signature(function, eval_str=True)
    except (NameError, TypeError, SyntaxError) as error:
        message = f"agent {name!r}: an annotation cannot be evaluated: {error}"
        raise InvalidAgent(message, hint="Import the type at the top of the module.") from error
    fields: dict[str, Any] = {}
    takes_context = False
    for parameter in signature.parameters.values():
        if parameter.name == _CONTEXT or parameter.annotation is TaskContext:
            takes_context = _check_context(name, parameter)
            continue
        _check_parameter(name, parameter)
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    try:
        arguments = create_model(
            f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields
        )
        arguments.model_json_schema()
        returned = signature.return_annotation
        if returned is signature.empty or returned is Any:
            adapter, schema, wrapped = None, None, False
        else:
            adapter = TypeAdapter(returned)
            schema, wrapped = object_schema(adapter.json_schema(mode="serialization"))
    except (PydanticUserError, TypeError) as error:
        message = f"agent {name!r}: a type has no JSON Schema: {error}"
        raise InvalidAgent(message, hint="Use pydantic models and JSON's own types.") from error
    return Signature(
        name=name,
        arguments=arguments,
        returns=adapter,
        output_schema=schema,
        wrapped=wrapped,
        takes_context=takes_context,
    )


def _check_context(name: str, parameter: inspect.Parameter) -> bool:
    if parameter.name != _CONTEXT or parameter.kind is parameter.POSITIONAL_ONLY:
        message = f"agent {name!r}: the context parameter must be called `ctx`"
        raise InvalidAgent(message, hint="Declare it as `*, ctx: TaskContext`.")
    return True


def _check_parameter(name: str, parameter: inspect.Parameter) -> None:
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        message = f"agent {name!r}: {parameter} cannot be passed by name"
        raise InvalidAgent(message, hint="Give every argument a name, a type and maybe a default.")
    if parameter.annotation is parameter.empty:
        message = f"agent {name!r}: the argument {parameter.name!r} has no type"
        raise InvalidAgent(message, hint=f"Annotate it: `{parameter.name}: str`.")
    if parameter.name in RESERVED or parameter.name.startswith("_"):
        message = f"agent {name!r}: the argument name {parameter.name!r} is reserved"
        raise InvalidAgent(message, hint="Rename the argument.")
