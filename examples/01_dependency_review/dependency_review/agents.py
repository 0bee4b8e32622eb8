# ruff: noqa: F401 - importing an agent is what deploys it
"""Every agent of the example, for `[tool.sqswarm] agents = ["dependency_review.agents"]`."""

from dependency_review.api_surface import api_surface
from dependency_review.dependencies import dependencies
from dependency_review.installation import installation
from dependency_review.licence import licence
from dependency_review.maintenance import maintenance
from dependency_review.profile import profile
from dependency_review.readme import readme
from dependency_review.risk import risk
from dependency_review.summary import summary
