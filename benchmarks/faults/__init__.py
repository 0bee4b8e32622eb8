"""Faults on the way to AWS: a proxy that injects them, and witnesses what was really written."""

from benchmarks.faults.proxy import Proxy
from benchmarks.faults.rules import Fault, Rates, Rule

__all__ = ["Fault", "Proxy", "Rates", "Rule"]
