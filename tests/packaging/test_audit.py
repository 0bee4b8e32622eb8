"""The audit fails for what is known to be open, and never for want of a network."""

import json

import pytest
from audit import verdict

GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("found", "code", "says"),
    [
        pytest.param([GOOD, GOOD], 0, "2 packages, 0 vulnerabilities", id="clean"),
        pytest.param([GOOD, BAD], 1, "b 1: PYSEC-1, mended in ['2']", id="open"),
        pytest.param([GOOD, UNKNOWN], 0, "not looked at: c", id="in-part"),
        pytest.param([UNKNOWN], 0, "skipped", id="a-mirror-without-the-list"),
    ],
)
def test_what_is_open_fails(found, code, says):
    assert verdict(json.dumps({"dependencies": found}), "")[0] == code
    assert says in verdict(json.dumps({"dependencies": found}), "")[1]


def test_without_a_network_it_is_skipped_and_another_error_is_none():
    assert verdict("", "INFO\nERROR:pip_audit._cli:Could not connect to PyPI")[0] == 0
    assert verdict("", "usage: pip-audit")[0] == 1
