"""The Lambda tools, over real stdio against functions of the emulator."""

import json
import uuid

import pytest

from .conftest import assistant

pytestmark = pytest.mark.localstack


@pytest.fixture(scope="module")
def family(plain_function):
    """Five functions with a prefix of their own, on two runtimes."""
    prefix = f"family-{uuid.uuid4().hex[:6]}-"
    runtimes = ["python3.11", "python3.12", "python3.11", "python3.9", "python3.11"]
    return prefix, [
        plain_function(f"{prefix}{number}", runtime=runtime)
        for number, runtime in enumerate(runtimes)
    ]


@pytest.fixture
def function(plain_function):
    return plain_function(
        f"fn-{uuid.uuid4().hex[:8]}", variables={"API_TOKEN": "s3cret", "MODE": "fast"}
    )


async def pages(ask, **arguments):
    """Return the pages of list-functions as lists of names."""
    found, cursor = [], None
    while True:
        page = await ask("list-functions", cursor=cursor, **arguments)
        found.append([one["functionName"] for one in page["functions"]])
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def test_functions_are_listed_page_by_page_each_once(family, aws):
    prefix, names = family
    every = [
        one["FunctionName"]
        for page in aws("lambda").get_paginator("list_functions").paginate()
        for one in page["Functions"]
    ]
    async with assistant() as ask:
        unfiltered = await pages(ask, page_size=2)
        assert [name for page in unfiltered for name in page] == every
        assert {len(page) for page in unfiltered[:-1]} == {2}
        filtered = await pages(ask, page_size=2, prefix=prefix)
        assert [len(page) for page in filtered if page] == [2, 2, 1]
        assert [name for page in filtered for name in page] == names
        [old] = [page for page in await pages(ask, prefix=prefix, runtime="python3.9") if page]
        assert old == [names[3]]
        for cursor in ("nonsense", "W10=", "WzEsMl0="):
            assert "is not a cursor" in await ask.refused("list-functions", cursor=cursor)


async def test_a_function_is_shown_without_the_values_of_its_environment(function, deployed):
    async with assistant() as ask:
        result = await ask.client.call_tool("get-function", {"function_name": function})
        shown = result.structured_content
        assert (shown["runtime"], shown["handler"]) == ("python3.11", "main.handler")
        assert shown["environmentNames"] == ["API_TOKEN", "MODE"]
        assert "s3cret" not in result.model_dump_json()
        agent = await ask("get-function", function_name="sqswarm-ops-shout")
        assert agent["eventSources"][0]["source"].endswith(":sqswarm-ops-shout")
        assert "UnknownFunction" in await ask.refused("get-function", function_name="nobody")
        assert "UnknownFunction" in await ask.refused("get-function", function_name="no body!")


async def test_runtimes_are_told_with_their_ends_the_most_urgent_function_first(family):
    prefix, names = family
    async with assistant() as ask:
        told = await ask("get-runtime-info", limit=1000)
        mine = [one for one in told["functions"] if one["functionName"].startswith(prefix)]
        assert mine[0]["functionName"] == names[3]
        assert (mine[0]["support"], mine[0]["suggested"]) == ("deprecated", "python3.14")
        assert mine[0]["daysLeft"] < 0
        assert told["counts"]["deprecated"] >= 1
        listed = {one["runtime"] for one in told["runtimes"]}
        assert "python3.12" in listed
        assert "python2.7" not in listed
        assert told["source"].startswith("https://docs.aws.amazon.com/lambda/")
        full = await ask("get-runtime-info", include_deprecated=True, function_name=names[1])
        assert [one["runtime"] for one in full["functions"]] == ["python3.12"]
        assert "python2.7" in {one["runtime"] for one in full["runtimes"]}


async def test_a_function_is_invoked_and_its_result_bounded(function):
    async with assistant() as ask:
        done = await ask("invoke-function", function_name=function, payload={"size": 5})
        assert (done["succeeded"], done["statusCode"]) == (True, 200)
        assert json.loads(done["payloadJson"]) == {"echo": {"size": 5}, "blob": "xxxxx"}
        assert "handling" in done["logTail"]
        big = await ask(
            "invoke-function",
            function_name=function,
            payload={"size": 50_000},
            max_result_characters=100,
        )
        assert (big["payloadCut"], len(big["payloadJson"])) == (True, 100)
        assert big["payloadBytes"] > 50_000
        failed = await ask("invoke-function", function_name=function, payload={"fail": True})
        assert (failed["succeeded"], failed["functionError"]) == (False, "Unhandled")
        assert "asked to fail" in failed["payloadJson"]
        assert "UnknownFunction" in await ask.refused("invoke-function", function_name="nobody")
        too_large = {"blob": "x" * (6 * 1024 * 1024)}
        told = await ask.refused("invoke-function", function_name=function, payload=too_large)
        assert "PayloadTooLarge" in told


async def test_a_function_is_moved_to_a_runtime_on_which_its_test_event_succeeds(function):
    async with assistant() as ask:
        arguments = {"function_name": function, "runtime": "python3.12"}
        done = await ask("update-function-runtime", **arguments, test_event={"n": 1})
        assert (done["outcome"], done["runtimeNow"]) == ("updated", "python3.12")
        assert done["test"]["succeeded"] is True
        assert (await ask("get-function", function_name=function))["runtime"] == "python3.12"
        again = await ask("update-function-runtime", **arguments, test_event={"fail": True})
        assert (again["outcome"], again["test"]) == ("unchanged", None)


async def test_a_failing_test_event_puts_the_old_runtime_back_by_itself(function):
    async with assistant() as ask:
        told = await ask(
            "update-function-runtime",
            function_name=function,
            runtime="python3.12",
            test_event={"fail": True},
        )
        assert told["outcome"] == "rolled_back"
        assert told["test"]["functionError"] == "Unhandled"
        assert "asked to fail" in told["test"]["payloadJson"]
        assert told["rollbackError"] is None
        shown = await ask("get-function", function_name=function)
        assert (shown["runtime"], shown["lastUpdateStatus"]) == ("python3.11", "Successful")
        done = await ask("invoke-function", function_name=function, payload={})
        assert done["succeeded"] is True


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        ("python3.99", "no Lambda runtime that this server knows"),
        ("python3.8", "AWS supports python3.8 no more"),
        ("nodejs24.x", "cannot run it"),
    ],
)
async def test_a_runtime_that_cannot_work_is_refused_before_anything_changes(
    function, runtime, expected
):
    async with assistant() as ask:
        told = await ask.refused(
            "update-function-runtime", function_name=function, runtime=runtime, test_event={}
        )
        assert expected in told
        assert "Choose one of python3.14" in told
        assert (await ask("get-function", function_name=function))["runtime"] == "python3.11"
