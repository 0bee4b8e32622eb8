"""One deployed swarm for the session: the probe agents on the emulator."""

from pathlib import Path

import pytest

PROBE = Path(__file__).parents[1] / "e2e" / "probe_swarm"


@pytest.fixture(scope="session")
def deployed(emulator):
    """Deploy the probe swarm once."""
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    project = find_project(PROBE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROBE))
        deploy(settings_from_environment(), plan(project, stage="dev"), Reports())
        yield emulator


@pytest.fixture(scope="session")
def swarm(deployed):
    from sqswarm import Swarm

    with Swarm.connect() as connected:
        yield connected


@pytest.fixture(scope="session")
def aws(deployed):
    """Clients by service name."""
    from sqswarm.backends.aws.connect import client_factory, settings_from_environment

    return client_factory(settings_from_environment())
