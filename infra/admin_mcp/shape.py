"""Shape: what a tool returns (camelCase JSON, as everywhere in MCP) and how it is annotated."""

from __future__ import annotations

from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    """A result: its fields' descriptions are read by the model that called the tool."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        # Serialised fields are always there, so the schema may say so.
        json_schema_serialization_defaults_required=True,
    )


LOOKS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
"""It changes nothing, and what it tells is bounded by this account."""

CHANGES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
"""It adds: each call starts work, whose effects reach as far as the agents' own."""

ENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
"""It ends or replaces something; a repeat changes nothing more."""

RUNS_CODE = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
)
"""It runs code that may do anything its role allows."""
