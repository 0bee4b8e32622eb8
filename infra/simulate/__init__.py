"""A deterministic simulator: the whole swarm in one process, and storms that try to break it."""

from infra.simulate.laws import LAWS, Violation
from infra.simulate.run import Report, simulate
from infra.simulate.storm import Storm
from infra.simulate.weather import storm_of

__all__ = ["LAWS", "Report", "Storm", "Violation", "simulate", "storm_of"]
