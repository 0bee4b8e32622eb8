"""Validate: arguments are checked against the agent's schema before anything is published."""

from __future__ import annotations

from typing import Any

from sqswarm.dispatcher.jsonable import encoded, jsonable
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import JsonObject, name_fault
from sqswarm.schemas.payload import check_size


class Validator:
    """One agent's input schema, compiled once (JSON Schema 2020-12)."""

    def __init__(self, entry: CatalogueEntry) -> None:
        """Compile the schema of `entry`."""
        from jsonschema import Draft202012Validator

        self._name = entry.name
        self._validator: Any = Draft202012Validator(entry.input_schema)

    def encode(self, arguments: Any, *, what: str = "arguments") -> tuple[str, JsonObject]:
        """Return the JSON text of valid arguments, and them as JSON has them.

        Raises InvalidArguments (what is wrong and where, up to three places) or PayloadTooLarge.
        """
        text, plain = encode(arguments, what=f"{what} of {self._name!r}")
        try:
            self.check(plain, what=what)
        except InvalidArguments:
            listed = jsonable(plain, place=what)  # JSON has tuples as lists, its schemas do not
            if listed == plain:
                raise
            self.check(listed, what=what)
            plain = listed
        return text, plain

    def check(self, arguments: JsonObject, *, what: str) -> None:
        """Raise InvalidArguments where the arguments, known to be JSON, break the schema."""
        try:
            valid = self._validator.is_valid(arguments)
        except RecursionError as error:  # a schema that refers to itself takes many calls a level
            message = f"{what} are nested too deep for the schema of the agent {self._name!r}"
            raise InvalidArguments(message) from error
        if not valid:
            wrong = schema_errors(self._validator, arguments)
            message = f"{what} do not fit the agent {self._name!r}: {wrong}"
            raise InvalidArguments(message)


def encode(arguments: Any, *, what: str) -> tuple[str, JsonObject]:
    """Return the JSON text of an object, and it as JSON has it.

    Values of Python's own types (models, dataclasses, dates, enums) are turned into JSON, and so is
    a model whose fields are the arguments. Raises InvalidArguments or PayloadTooLarge.
    """
    try:
        text, plain = encoded(arguments, place="arguments")
    except (TypeError, ValueError) as error:
        message = f"{what} are not JSON that can travel: {error}"
        raise InvalidArguments(
            message,
            hint="Pass what JSON has, models, dataclasses, dates or enums, at most 64 levels deep.",
        ) from error
    if not isinstance(plain, dict):
        message = f"{what}: a JSON object is needed, not a {type(arguments).__name__}"
        raise InvalidArguments(message)
    check_size(text, what=f"what is passed as {what}")
    return text, plain


def check_names(**names: str | None) -> None:
    """Raise UsageError for a name that cannot travel; each is called as its keyword says."""
    for what, text in names.items():
        if text is not None and (fault := name_fault(text)):
            message = f"the {what.replace('_', ' ')} {fault}"
            raise UsageError(message, hint="A name is short printable text.")


def schema_errors(validator: Any, value: Any) -> str:
    """Return what is wrong with `value` and where, up to three places."""
    from jsonschema.exceptions import best_match, relevance

    errors = sorted(validator.iter_errors(value), key=relevance, reverse=True)
    shown = []
    for error in errors[:3]:
        cause = best_match([error])
        place = ".".join(str(part) for part in cause.absolute_path)
        shown.append(f"{place + ': ' if place else ''}{cause.message[:300]}")
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""  # noqa: PLR2004
    return f"{'; '.join(shown)}{more}"
