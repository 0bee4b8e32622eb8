import pytest
from infra_specs import EVERY_KIND, FILTERING, LISTENER, ORDERED, PLAIN, spec

from sqswarm.infra.topology import topology
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.naming import Names

NAMES = Names(stage="dev", account="123456789012", region="eu-west-1")


def build(*specs):
    return topology(
        specs, names=NAMES, modules=["my.agents"], runtime="python3.12", architecture="arm64"
    )


def agent_of(built, name):
    return next(consumer for consumer in built.agents if consumer.key == name)


def test_agents_come_in_the_order_of_their_names():
    keys = [consumer.key for consumer in build(*EVERY_KIND).consumers]
    assert keys == ["echo", "fetcher", "ledger", "licence", "read-me", "unrouted"]


@pytest.mark.parametrize(
    ("specs", "topics"),
    [
        pytest.param([PLAIN], ["sqswarm-dev-tasks"], id="tasks-always"),
        pytest.param(
            [LISTENER], ["sqswarm-dev-packages", "sqswarm-dev-tasks"], id="declared-topic"
        ),
        pytest.param(
            [ORDERED],
            ["sqswarm-dev-packages.fifo", "sqswarm-dev-tasks", "sqswarm-dev-tasks.fifo"],
            id="an-ordered-agent-needs-fifo-topics-and-no-standard-twin-of-its-own",
        ),
    ],
)
def test_a_topic_exists_for_those_who_listen(specs, topics):
    assert [topic.name for topic in build(*specs).topics] == topics


def test_every_agent_listens_to_its_own_name_and_to_its_topics():
    filtering = agent_of(build(FILTERING), "read-me")
    assert {s.topic: s.filter for s in filtering.subscriptions} == {
        "sqswarm-dev-tasks": {"agent": ["read-me"]},
        "sqswarm-dev-packages": {"type": ["a", "b"]},
    }
    listener = agent_of(build(LISTENER), "licence")
    assert listener.subscriptions[1].filter is None


def test_a_task_for_nobody_goes_to_unrouted_from_both_kinds_of_topic():
    subscriptions = build(PLAIN, ORDERED).unrouted.subscriptions
    wanted = {"agent": [{"exists": False}, {"anything-but": ["echo", "ledger"]}]}
    assert {s.topic: s.filter for s in subscriptions} == {
        "sqswarm-dev-tasks": wanted,
        "sqswarm-dev-tasks.fifo": wanted,
    }


def test_an_ordered_agent_is_fifo_from_topic_to_dead_letters():
    ledger = agent_of(build(ORDERED), "ledger")
    names = [ledger.queue.name, ledger.dead_letters.name, *(s.topic for s in ledger.subscriptions)]
    assert all(name.endswith(".fifo") for name in names)


@pytest.mark.parametrize(
    ("batch_size", "window_s", "expected_s"),
    [
        pytest.param(10, 0, 0, id="small-batches-need-no-window"),
        pytest.param(100, 0, 1, id="aws-wants-a-window-above-ten"),
        pytest.param(100, 5, 5, id="a-declared-window-stays"),
    ],
)
def test_the_batching_window_is_one_that_lambda_accepts(batch_size, window_s, expected_s):
    built = build(spec("echo", batch_size=batch_size, batch_window_s=window_s))
    assert agent_of(built, "echo").source.window_s == expected_s


@pytest.mark.parametrize(("declared", "limit"), [(1, 2), (2, 2), (10, 10), (5000, 1000)], ids=str)
def test_concurrency_is_kept_within_what_an_event_source_takes(declared, limit):
    built = build(spec("echo", concurrency=declared))
    assert agent_of(built, "echo").source.max_concurrency == limit


def test_a_function_knows_its_stage_agent_and_modules():
    env = agent_of(build(spec("echo", env={"MODE": "fast"})), "echo").function.env
    assert env == {
        "MODE": "fast",
        "SQSWARM_STAGE": "dev",
        "SQSWARM_ACCOUNT": "123456789012",
        "SQSWARM_AGENT": "echo",
        "SQSWARM_AGENTS": "my.agents",
    }


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        pytest.param([], "no agent to deploy", id="nothing"),
        pytest.param([spec("a1", ordered=True, batch_size=20)], "batches of 20", id="fifo-batch"),
        pytest.param([spec("a1", env={"AWS_REGION": "x"})], "AWS_REGION", id="reserved-variable"),
        pytest.param([spec("a1", env={"X": "x"})], "'X'", id="variable-lambda-refuses"),
    ],
)
def test_what_aws_could_not_run_is_refused_with_a_hint(specs, says):
    with pytest.raises(InvalidAgent, match=says) as caught:
        build(*specs)
    assert caught.value.hint
