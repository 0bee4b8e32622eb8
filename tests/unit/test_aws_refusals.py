"""What AWS refuses: an insert stays one when it is tried again, and S3 hides what is not there."""

import pytest
from botocore.exceptions import ClientError

from sqswarm.backends.aws.blobs import S3Blobs
from sqswarm.backends.aws.caller import BlockingCaller
from sqswarm.backends.aws.store import DynamoStore
from sqswarm.backends.runner import run_straight
from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.writes import Absent, Applied, Key, Set, Write
from sqswarm.testing.clock import VirtualClock

INSERT = Write(key=Key(pk="task#a#1", sk="task"), when=(Absent(),), changes=(Set("v", "x"),))


class Service:
    """One AWS service that gives the answers it was made with, one a call, and keeps the calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def __getattr__(self, operation):
        def call(**params):
            self.calls.append((operation, params))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def throttled(n):
    answer = {"Responses": [{"Error": {"Code": "ThrottlingError", "Message": "slow down"}}]}
    return [answer] * n


def writes(*answers):
    service = Service(*answers)
    store = DynamoStore(BlockingCaller(lambda _: service), VirtualClock(), "table")
    return service, run_straight(store.write_each([INSERT]))[0]


def test_an_insert_alone_is_an_insert_however_often_it_is_throttled():
    service, outcome = writes(*throttled(3), {"Responses": [{}]})
    assert outcome == Applied()
    statements = [params["Statements"][0]["Statement"] for _, params in service.calls]
    assert len(statements) == 4
    assert all(statement.startswith("INSERT") for statement in statements)


def test_an_insert_that_is_throttled_for_good_says_so():
    service, outcome = writes(*throttled(100))
    assert isinstance(outcome, Unreachable)
    assert "slow down" in str(outcome)
    assert len(service.calls) == 6


def blob(code):
    service = Service(ClientError({"Error": {"Code": code}}, "GetObject"))
    blobs = S3Blobs(BlockingCaller(lambda _: service), "bucket")
    return run_straight(blobs.get("s3://bucket/payloads/a/1/arguments.json"))


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied"])
def test_who_may_not_list_cannot_tell_what_is_gone_from_what_is_anothers(code):
    assert blob(code) is None


def test_credentials_that_nobody_knows_are_no_missing_object():
    with pytest.raises(Unreachable):
        blob("SignatureDoesNotMatch")
