"""AsTool: how an agent shows itself to MCP clients, beside its schema and description."""

from __future__ import annotations

from enum import StrEnum

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.value import dataclass


class TaskUse(StrEnum):
    """Whether a call from an MCP client is answered with a task to poll, or waited for.

    `optional` hands a task to clients that declare the Tasks extension and waits for the others;
    `required` refuses the others; `never` waits for everybody (for agents that end in seconds).
    """

    OPTIONAL = "optional"
    REQUIRED = "required"
    NEVER = "never"


_ASKABLE = frozenset({"string", "number", "integer", "boolean"})
"""Source: MCP 2026-07-28, "Elicitation: requested schema": flat, of primitive types."""

_HINTS = (
    ("read_only", "readOnlyHint"),
    ("destructive", "destructiveHint"),
    ("idempotent", "idempotentHint"),
    ("open_world", "openWorldHint"),
)


@dataclass(frozen=True, kw_only=True)
class AsTool:
    """What an agent declares for MCP clients: `@agent(tool=AsTool(task="required"))`.

    `ask_for` names arguments that a person is asked for, before there is a task, where a call
    leaves them out. The rest are MCP's tool annotations; None leaves one unsaid.
    """

    task: TaskUse | str = TaskUse.OPTIONAL
    ask_for: tuple[str, ...] = ()
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None

    def __post_init__(self) -> None:
        """Take the plain words; raises InvalidAgent for one that is none of TaskUse."""
        try:
            object.__setattr__(self, "task", TaskUse(self.task))
        except ValueError as error:
            choices = ", ".join(TaskUse)
            message = f"AsTool(task={self.task!r}) is none of {choices}"
            raise InvalidAgent(message) from error
        object.__setattr__(self, "ask_for", tuple(self.ask_for))

    @property
    def annotations(self) -> JsonObject:
        """Return MCP's `ToolAnnotations`, those that are declared."""
        declared = {shown: getattr(self, name) for name, shown in _HINTS}
        return {shown: value for shown, value in declared.items() if value is not None}

    def check(self, agent: str, input_schema: JsonObject) -> None:
        """Raise InvalidAgent where `ask_for` names what no form can ask for."""
        properties = input_schema.get("properties", {})
        for name in self.ask_for:
            if name not in properties:
                message = f"agent {agent!r}: ask_for names {name!r}, which is no argument"
                raise InvalidAgent(message)
            if properties[name].get("type") not in _ASKABLE:
                message = f"agent {agent!r}: ask_for names {name!r}, which no form can ask for"
                raise InvalidAgent(message, hint="Texts, numbers and booleans can be asked for.")

    def to_json(self) -> JsonObject:
        """Return what the catalogue keeps."""
        kept: JsonObject = {"task": str(self.task), "annotations": self.annotations}
        if self.ask_for:
            kept["askFor"] = list(self.ask_for)
        return kept

    @classmethod
    def from_json(cls, kept: JsonObject) -> AsTool:
        """Return what `to_json` wrote."""
        annotations = kept.get("annotations", {})
        return cls(
            task=kept.get("task", TaskUse.OPTIONAL),
            ask_for=tuple(kept.get("askFor", ())),
            **{name: annotations.get(shown) for name, shown in _HINTS},
        )
