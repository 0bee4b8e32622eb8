"""A deterministic simulator: the whole swarm in one process, and storms that try to break it."""

from simulation.fault_plan import Storm
from simulation.invariants import LAWS, Violation
from simulation.run import Report, simulate
from simulation.workload import storm_of

__all__ = ["LAWS", "Report", "Storm", "Violation", "simulate", "storm_of"]
