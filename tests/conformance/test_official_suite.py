"""The official MCP conformance suite, against `sqswarm serve` and the server on Lambda."""

import pytest
import suite

pytestmark = [pytest.mark.localstack, pytest.mark.proof]


@pytest.mark.parametrize("scenario", suite.TASKS)
def test_every_check_of_the_tasks_extension_passes(url, scenario):
    verdicts = suite.run(scenario, url)
    assert verdicts.failed == {}, verdicts.output
    assert len(verdicts.passed) == suite.TASKS[scenario]


@pytest.mark.parametrize("scenario", suite.GENERAL)
def test_what_else_of_the_revision_applies_passes(url, scenario):
    verdicts = suite.run(scenario, url)
    assert verdicts.failed == {}, verdicts.output
    assert verdicts.passed


@pytest.mark.parametrize("scenario", suite.LOOPBACK)
def test_what_is_asked_of_a_server_on_loopback_passes(suite_installed, served, scenario):
    verdicts = suite.run(scenario, served)
    assert verdicts.failed == {}, verdicts.output
    assert verdicts.passed
