"""Metrics: what batches are counted in, by the names that CloudWatch knows them under.

Dimensions are the stage and the agent. CloudWatch bills each name of each agent as a metric.
"""

from __future__ import annotations

NAMESPACE = "sqswarm"
STAGE = "stage"
AGENT = "agent"
DIMENSIONS = (STAGE, AGENT)

SWITCH = "SQSWARM_METRICS"
OFF = "off"
"""What the environment says where nothing is to be counted."""

STARTED = "Started"
"""Attempts begun."""
COMPLETED = "Completed"
"""Tasks that ended with a result."""
FAILED = "Failed"
"""Tasks that ended without one."""
RETRIED = "Retried"
"""Attempts that failed, and are followed by another."""
SUSPENDED = "Suspended"
"""Attempts that ended in a wait: for children, people or a time."""
PARKED = "Parked"
"""Attempts whose code did not fit what its task has recorded: the task waits for code that does."""
LOST = "Lost"
"""Attempts that came to nothing: another has the task, nobody answered, the worker stopped."""
STEPS = "Steps"
"""Steps run and recorded; one that is replayed is none."""
INPUT_TOKENS = "InputTokens"
"""Tokens that models read, from a cache or not."""
OUTPUT_TOKENS = "OutputTokens"
MICRO_DOLLARS = "MicroDollars"
"""What models cost, in millionths of a dollar, as the ledger has it."""
QUEUE_WAIT = "QueueWait"
"""From a message's sending, or its task's waking, to a first attempt; a retry has none."""
RUN_TIME = "RunTime"
"""The attempt itself, whatever came of it."""
BATCH_TIME = "BatchTime"
"""From the batch's arrival to the record of a task's end: its run, and what it waited beside it."""
FAILURE_RATE = "FailureRate"
"""100 for an attempt that failed, 0 for another: their average is the share."""

UNITS = {
    **dict.fromkeys((STARTED, COMPLETED, FAILED, RETRIED, SUSPENDED, PARKED, LOST, STEPS), "Count"),
    **dict.fromkeys((INPUT_TOKENS, OUTPUT_TOKENS, MICRO_DOLLARS), "Count"),
    **dict.fromkeys((QUEUE_WAIT, RUN_TIME, BATCH_TIME), "Milliseconds"),
    FAILURE_RATE: "Percent",
}

ALWAYS = frozenset({STARTED, COMPLETED, FAILED, RETRIED})
"""What a line says even where it is 0: then a graph of it is 0 too, not a gap."""

FAILED_BY_TYPE = "FailedByType"
_TYPE_LENGTH = 100


def failed_by_type(error_type: str) -> str:
    """Return the metric of failures of one type: `FailedByType_ValueError`.

    A type is anybody's text (`Fail(type=...)`): what no metric's name should hold becomes `_`.
    """
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in error_type[:_TYPE_LENGTH])
    return f"{FAILED_BY_TYPE}_{plain or 'error'}"


_BEGINNING = '{"_aws":{'
_OURS = f'"Namespace":"{NAMESPACE}"'


def tells_metrics(line: str) -> bool:
    """Tell whether a log line is one of these metrics: nothing that anybody printed."""
    return line.startswith(_BEGINNING) and _OURS in line[:200]
