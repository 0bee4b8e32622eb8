"""The stack's driver against a scripted CloudFormation."""

import pytest
from botocore.exceptions import ClientError

from sqswarm.infra.deployment.stack import Stack
from sqswarm.schemas.errors import DeployFailed

GONE = ClientError(
    {"Error": {"Code": "ValidationError", "Message": "Stack x does not exist"}}, "DescribeStacks"
)


class Scripted:
    """A CloudFormation with one stack, its statuses and events in the order they are asked for."""

    def __init__(self, statuses, events=(), resources=()):
        self.statuses = list(statuses)
        self.events = list(events)
        self.resources = list(resources)
        self.calls = []

    def describe_stacks(self, **_):
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            raise GONE
        return {"Stacks": [{"StackStatus": status}]}

    def describe_stack_events(self, **_):
        before = not any(call in self.calls for call in ("create", "update", "delete"))
        return {"StackEvents": [] if before else self.events[::-1]}

    def list_stack_resources(self, **_):
        return {"StackResourceSummaries": self.resources}

    def create_stack(self, **_):
        self.calls.append("create")

    def update_stack(self, **_):
        self.calls.append("update")

    def delete_stack(self, **_):
        self.calls.append("delete")


def event(number, resource, status, reason=None):
    return {
        "EventId": str(number),
        "LogicalResourceId": resource,
        "ResourceType": "AWS::SQS::Queue",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def listed(resource, status, reason=""):
    return {
        "LogicalResourceId": resource,
        "ResourceType": "AWS::SQS::Queue",
        "PhysicalResourceId": resource,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def stack(cloudformation):
    return Stack(cloudformation, "x", poll_s=0)


def test_every_event_is_reported_once():
    script = Scripted(
        ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
        events=[event(1, "Q", "CREATE_IN_PROGRESS"), event(2, "Q", "CREATE_COMPLETE")],
    )
    seen = []
    assert stack(script).update(seen.append)
    assert [e.status for e in seen] == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_events_are_asked_for_seldom_while_the_stack_is_worked_on():
    """An emulator makes them up, all of them each time, in the time that the stack needs."""
    script = Scripted(
        ["UPDATE_IN_PROGRESS"] * 50 + ["UPDATE_COMPLETE"],
        events=[event(1, "Q", "CREATE_COMPLETE")],
    )
    asked, seen = [], []
    stock = script.describe_stack_events
    script.describe_stack_events = lambda **request: asked.append(1) or stock(**request)
    assert stack(script).update(seen.append)
    assert len(asked) < 10
    assert [e.status for e in seen] == ["CREATE_COMPLETE"]


def test_nothing_to_update_is_no_error():
    script = Scripted(["UPDATE_COMPLETE"])

    def refuse(**_):
        message = "No updates are to be performed."
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "UpdateStack")

    script.update_stack = refuse
    assert not stack(script).update(lambda _: None)


def test_a_failure_names_causes_and_not_what_was_cancelled_with_them():
    script = Scripted(
        ["UPDATE_ROLLBACK_COMPLETE"],
        events=[
            event(1, "Jobs", "CREATE_FAILED", "sqswarm-dev-jobs already exists"),
            event(2, "Other", "CREATE_FAILED", "Resource creation cancelled"),
        ],
    )
    with pytest.raises(DeployFailed, match=r"Jobs.*already exists") as caught:
        stack(script).update(lambda _: None)
    assert "choose another SQSWARM_STAGE" in caught.value.hint


def test_a_complete_status_over_a_failed_resource_is_a_failure():
    script = Scripted(["UPDATE_COMPLETE"], resources=[listed("Jobs", "CREATE_FAILED", "no luck")])
    with pytest.raises(DeployFailed, match=r"Jobs .* no luck"):
        stack(script).update(lambda _: None)


@pytest.mark.parametrize(
    ("statuses", "exists", "calls"),
    [
        pytest.param([None], False, [], id="none"),
        pytest.param(["CREATE_COMPLETE"], True, [], id="whole"),
        pytest.param(["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"], True, [], id="somebody-deploys"),
        pytest.param(["ROLLBACK_COMPLETE"] * 2 + [None], False, ["delete"], id="failed-first-try"),
    ],
)
def test_a_stack_is_made_ready_for_what_comes(statuses, exists, calls):
    script = Scripted(statuses)
    assert stack(script).prepare(lambda _: None) is exists
    assert script.calls == calls


def test_a_failure_that_passes_is_no_end():
    """LocalStack gives the stack the status of a resource while it still works on the others."""
    script = Scripted(
        ["DELETE_IN_PROGRESS", "DELETE_FAILED", "DELETE_FAILED", "DELETE_IN_PROGRESS", None]
    )
    Stack(script, "x", poll_s=0.01, settle_s=0.5).delete(lambda _: None)
    assert script.statuses == [None]


def test_a_failure_that_stands_is_one():
    script = Scripted(["UPDATE_IN_PROGRESS", "UPDATE_FAILED"])
    with pytest.raises(DeployFailed):
        Stack(script, "x", poll_s=0.01, settle_s=0.05).update(lambda _: None)


def test_a_stuck_rollback_tells_how_to_go_on():
    with pytest.raises(DeployFailed) as caught:
        stack(Scripted(["UPDATE_ROLLBACK_FAILED"])).prepare(lambda _: None)
    assert "continue-update-rollback" in caught.value.hint
