"""A deterministic simulator: the whole swarm in one process, and storms that try to break it."""

from simulation.fault_plan import FaultPlan
from simulation.invariants import INVARIANTS, Violation
from simulation.run import Report, simulate
from simulation.workload import fault_plan_of

__all__ = ["INVARIANTS", "FaultPlan", "Report", "Violation", "fault_plan_of", "simulate"]
