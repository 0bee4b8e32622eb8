"""One CloudFormation stack, driven to the end of each operation and watched on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import error_code, translated
from sqswarm.schemas.errors import DeployFailed

_FAILED_ALONGSIDE = ("cancelled", "Rollback requested", "The following resource(s) failed")
"""Reasons of resources that failed only because another one did."""

_REPORT_EVERY_S = 1.0
"""How often events are asked for, seconds. They come as a whole each time, and an emulator that
makes them up for us does not work on the stack meanwhile."""

_AT_REST = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
"""What a stack is when all went well."""

_HINTS = (
    ("already exists", "Something else has this name: delete it, or choose another SQSWARM_STAGE."),
    ("not authorized", "Give the deploying principal the permission that the reason names."),
    ("AccessDenied", "Give the deploying principal the permission that the reason names."),
    ("FilterPolicyLimit", "Ask AWS for more SNS filter policies a topic, or use another stage."),
    ("limit", "Ask AWS for a higher quota, or lower what the reason names."),
)


@dataclass(frozen=True, kw_only=True)
class ResourceEvent:
    """What CloudFormation did with one resource."""

    resource: str
    kind: str
    status: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """True where the resource could not be brought to what the template says."""
        return self.status.endswith("FAILED")


Watch = Callable[[ResourceEvent], None]


@dataclass(frozen=True, kw_only=True)
class StackResource:
    """A resource as the stack lists it."""

    resource: str
    kind: str
    physical_id: str
    status: str
    reason: str


class Stack:
    """A stack by its name. Every method blocks until CloudFormation is done with it."""

    def __init__(
        self, cloudformation: Any, name: str, *, poll_s: float, settle_s: float = 0.0
    ) -> None:
        """Drive the stack `name`, asking for its state every `poll_s` seconds.

        A status that tells of failure counts once it has stood for `settle_s` seconds: LocalStack
        gives the stack the status of each resource that fails while it still works on the others.
        """
        self._client = cloudformation
        self._poll_s = poll_s
        self._settle_s = settle_s
        self.name = name

    def status(self) -> str | None:
        """Return the stack's status, None where there is no such stack."""
        try:
            stacks = self._call("describe_stacks", StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        status = str(stacks[0]["StackStatus"]) if stacks else None
        return None if status == "DELETE_COMPLETE" else status

    def resources(self) -> dict[str, StackResource]:
        """Return the stack's living resources by logical id; empty where there is no stack."""
        found: dict[str, StackResource] = {}
        token: dict[str, str] = {}
        while True:
            try:
                page = self._call("list_stack_resources", StackName=self.name, **token)
            except ClientError as error:
                if "does not exist" in str(error):
                    return {}
                raise
            for entry in page["StackResourceSummaries"]:
                if entry["ResourceStatus"] != "DELETE_COMPLETE":
                    found[entry["LogicalResourceId"]] = StackResource(
                        resource=entry["LogicalResourceId"],
                        kind=entry["ResourceType"],
                        physical_id=entry.get("PhysicalResourceId") or "",
                        status=entry["ResourceStatus"],
                        reason=entry.get("ResourceStatusReason") or "",
                    )
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}

    def prepare(self, watch: Watch) -> bool:
        """Wait for an operation that still runs and clear away a failed first try.

        Return True where a stack exists that can be updated. Raises DeployFailed for one that
        only its owner can mend.
        """
        status = self.status()
        if status is not None and status not in _AT_REST:
            status = self._finish(watch, since=self._event_ids())
        if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
            self.delete(watch)
            return False
        if status == "UPDATE_ROLLBACK_FAILED":
            message = f"the stack {self.name} could not be rolled back earlier"
            hint = f"aws cloudformation continue-update-rollback --stack-name {self.name}"
            raise DeployFailed(message, hint=hint)
        return status is not None

    def create(self, watch: Watch, **request: Any) -> None:
        """Create the stack; raises DeployFailed naming each resource that failed."""
        self._operate("create_stack", watch, **request)

    def update(self, watch: Watch, **request: Any) -> bool:
        """Update the stack; return False where there was nothing to do.

        Raises DeployFailed naming each resource that failed.
        """
        try:
            self._operate("update_stack", watch, **request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        return True

    def delete(self, watch: Watch) -> None:
        """Delete the stack; raises DeployFailed for what could not be deleted."""
        since = self._event_ids()
        self._call("delete_stack", StackName=self.name)
        status = self._finish(watch, since=since)
        if status is not None:
            raise self._failure("could not be deleted", status, since)

    def _operate(self, operation: str, watch: Watch, **request: Any) -> None:
        since = self._event_ids()
        self._call(
            operation,
            StackName=self.name,
            Capabilities=["CAPABILITY_IAM"],
            **request,
        )
        status = self._finish(watch, since=since)
        # A status alone is not to be trusted: LocalStack says UPDATE_COMPLETE over failures.
        broken = [r for r in self.resources().values() if r.status.endswith("FAILED")]
        if broken or status not in _AT_REST:
            raise self._failure("could not be deployed", status or "deleted again", since)

    def _finish(self, watch: Watch, *, since: set[str]) -> str | None:
        """Report events until the stack is at rest; return its status, None if it is gone."""
        seen = set(since)
        last, since_s, reported_s = "", 0.0, time.monotonic()
        while True:
            status, now_s = self.status(), time.monotonic()
            if status != last:
                last, since_s = status or "", now_s
            settled = now_s - since_s >= self._settle_s
            rests = status is None or status in _AT_REST
            ended = rests or (settled and not last.endswith("IN_PROGRESS"))
            if ended or now_s - reported_s >= _REPORT_EVERY_S:
                reported_s = now_s
                for event_id, event in self._events(seen):
                    seen.add(event_id)
                    watch(event)
            if ended:
                return status
            time.sleep(self._poll_s)

    def _failure(self, what: str, status: str, since: set[str]) -> DeployFailed:
        events = [event for _, event in self._events(since) if event.failed]
        listed = [
            ResourceEvent(resource=r.resource, kind=r.kind, status=r.status, reason=r.reason)
            for r in self.resources().values()
            if r.status.endswith("FAILED")
        ]
        causes: dict[str, ResourceEvent] = {}
        for event in (*events, *listed):
            if event.reason and not event.reason.startswith(_FAILED_ALONGSIDE):
                causes.setdefault(event.resource, event)
        lines = [
            f"  {e.resource} ({e.kind}) {e.status}: {_one_line(e.reason)}" for e in causes.values()
        ]
        message = f"the stack {self.name} {what} ({status})"
        reasons = " ".join(event.reason for event in causes.values())
        hint = next((hint for word, hint in _HINTS if word in reasons), None)
        return DeployFailed("\n".join([message, *lines]), hint=hint)

    def _event_ids(self) -> set[str]:
        return {event_id for event_id, _ in self._events(set())}

    def _events(self, seen: set[str]) -> list[tuple[str, ResourceEvent]]:
        """Return the events that are not in `seen`, oldest first."""
        fresh: list[tuple[str, ResourceEvent]] = []
        try:
            for entry in self._all_events():  # newest first
                if entry["EventId"] in seen:
                    break
                if entry["LogicalResourceId"] == self.name:
                    continue
                fresh.append((entry["EventId"], _event(entry)))
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
        return fresh[::-1]

    def _all_events(self) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._call("describe_stack_events", StackName=self.name, **token)
            yield from page["StackEvents"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(**request)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) == "ValidationError":
                raise
            raise translated(error, "cloudformation") from error
        return response


def _event(entry: dict[str, Any]) -> ResourceEvent:
    return ResourceEvent(
        resource=entry["LogicalResourceId"],
        kind=entry["ResourceType"],
        status=entry["ResourceStatus"],
        reason=entry.get("ResourceStatusReason") or "",
    )


def _one_line(reason: str) -> str:
    return " ".join(reason.split()) or "no reason given"
