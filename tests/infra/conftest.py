"""Fixtures of the infrastructure's tests."""

import pytest
from infra_specs import EVERY_KIND, rendered


@pytest.fixture(scope="session")
def template():
    """The template of a stage with an agent of every kind."""
    return rendered(*EVERY_KIND)


@pytest.fixture(scope="session")
def of_kind(template):
    """A function: CloudFormation type → its resources by logical id."""

    def find(kind):
        resources = template["Resources"].items()
        return {title: r["Properties"] for title, r in resources if r["Type"] == kind}

    return find
