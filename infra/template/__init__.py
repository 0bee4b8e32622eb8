"""The CloudFormation template: one for LocalStack, ministack and AWS.

>>> from sqswarm.infra.template import render
"""

from sqswarm.infra.template.limits import RESOURCE_LIMIT, TEMPLATE_LIMIT_BYTES
from sqswarm.infra.template.render import Rendered, render, render_bucket_alone, template_names

__all__ = [
    "RESOURCE_LIMIT",
    "TEMPLATE_LIMIT_BYTES",
    "Rendered",
    "render",
    "render_bucket_alone",
    "template_names",
]
