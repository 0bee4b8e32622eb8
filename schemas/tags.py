"""Tags: what a caller files a task under, to find it again."""

from __future__ import annotations

from collections.abc import Mapping

from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import name_fault

Tags = dict[str, str]

MOST_TAGS = 10
TAG_KEY_LIMIT = 64
TAG_VALUE_LIMIT = 256
"""Characters."""


def tags_fault(tags: object) -> str | None:
    """Return what is wrong with tags, if anything."""
    if not isinstance(tags, Mapping):
        return "are not an object"
    if len(tags) > MOST_TAGS:
        return f"are {len(tags)}, and {MOST_TAGS} are possible"
    for key, value in tags.items():
        for what, text, limit in (
            ("key", key, TAG_KEY_LIMIT),
            (f"value of {str(key)[:TAG_KEY_LIMIT]!r}", value, TAG_VALUE_LIMIT),
        ):
            if not isinstance(text, str):
                return f"have a {what} that is not text"
            if len(text) > limit or (what == "key" and not text):
                return f"have a {what} of {len(text)} characters, and 1 to {limit} are possible"
            if fault := name_fault(text):
                return f"have a {what} that {fault}"
    return None


def check_tags(tags: Mapping[str, str] | None) -> Tags:
    """Return tags as they are kept; raises InvalidArguments for what cannot be a tag."""
    if not tags:
        return {}
    if fault := tags_fault(tags):
        message = f"the tags {fault}"
        raise InvalidArguments(message, hint='tags={"tenant": "acme"}: text, 10 at most.')
    return dict(sorted(tags.items()))


def wears(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Tell whether `tags` have all that is `wanted`."""
    return all(tags.get(key) == value for key, value in wanted.items())
