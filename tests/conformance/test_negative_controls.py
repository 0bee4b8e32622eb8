"""The suite can fail: each rule taken out of the server is missed by the check that is for it."""

import pytest
import suite
from server_fixtures import serving

pytestmark = [pytest.mark.localstack, pytest.mark.proof]


@pytest.mark.parametrize(
    ("broken", "scenario", "check"),
    [
        pytest.param(
            "forget_capabilities",
            "tasks-capability-negotiation",
            "sep-2663-tasks-methods-non-declaring",
            id="capability-check",
        ),
        pytest.param(
            "forget_the_name_header",
            "tasks-request-headers",
            "sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get",
            id="header-check",
        ),
        pytest.param(
            "read_an_old_copy",
            "tasks-dispatch-and-envelope",
            "sep-2663-durable-create-strong-consistency",
            id="read-your-write",
        ),
    ],
)
def test_a_server_without_the_rule_fails(server_stage, suite_installed, broken, scenario, check):
    settings, _ = server_stage
    env = {"SQSWARM_BROKEN": broken}
    with serving(settings, module="broken_server", env=env) as process:
        verdicts = suite.run(scenario, process.url)
    assert check in verdicts.failed, verdicts.output
