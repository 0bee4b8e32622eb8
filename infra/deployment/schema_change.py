"""What a changed JSON Schema takes from those who rely on it, in words for people."""

from __future__ import annotations

from collections.abc import Iterator

from sqswarm.schemas.json import JsonObject, canonical


def narrower_input(old: JsonObject, new: JsonObject) -> Iterator[str]:
    """Yield what callers could give and can give no longer."""
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() - after.keys()):
        if new.get("additionalProperties", True) is False:
            yield f"the argument {name} is refused"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"the argument {name} is required"
    yield from _changed("the argument", before, after)


def narrower_output(old: JsonObject | None, new: JsonObject | None) -> Iterator[str]:
    """Yield what readers of results could count on and can count on no longer."""
    if old is None:
        return
    if new is None:
        yield "the result has no schema any more"
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() - after.keys()):
        yield f"the result has no {name} any more"
    kept = set(old.get("required", ())) & after.keys()
    for name in sorted(kept - set(new.get("required", ()))):
        yield f"the result may lack {name}"
    yield from _changed("the result's", before, after)


def _changed(of_what: str, before: JsonObject, after: JsonObject) -> Iterator[str]:
    """Yield the fields whose own schema is another; titles and descriptions do not count."""
    for name in sorted(before.keys() & after.keys()):
        if _bare(before[name]) != _bare(after[name]):
            was, now = _type(before[name]), _type(after[name])
            yield f"{of_what} {name} has another type: {was}, now {now}"


def _bare(schema: JsonObject) -> str:
    told = {"title", "description", "examples", "default"}
    return canonical({key: value for key, value in schema.items() if key not in told})


def _type(schema: JsonObject) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return str(schema.get("type", "anything"))
