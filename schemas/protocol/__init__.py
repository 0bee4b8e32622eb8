"""The task protocol's operations, each as one conditional write (correctness.md, "Operations").

Pure: times come in as Unix milliseconds, versions as values. `v` is the fence: every write of a
worker is a compare-and-set on it, and time alone never is.

What only some workers do is imported from its own module: `ledger` (Claude agents), `rate_limit`.
"""

from sqswarm.schemas.protocol.end import (
    Ending,
    cancel,
    cancel_unrecorded,
    clear_due,
    fail_exhausted,
    fail_unrecorded,
    link_redriven,
    mark_due,
    postpone,
    postpone_unread,
    settle,
    settle_lean,
    without_arguments,
)
from sqswarm.schemas.protocol.park import park, park_unheld, resume
from sqswarm.schemas.protocol.run import (
    PARKED,
    Lease,
    acquire,
    acquire_new,
    create,
    hand_back,
    listed_under,
    place_mark,
    progress,
    release,
    renew,
    republish,
    without_history,
)
from sqswarm.schemas.protocol.step import (
    PATCH_PREFIX,
    STEP_PREFIX,
    Ran,
    fence,
    record_failure,
    record_patch,
    record_step,
    step_key,
)
from sqswarm.schemas.protocol.wait import answer, ask, count, fire, plan, sleep, wake

__all__ = [
    "PARKED",
    "PATCH_PREFIX",
    "STEP_PREFIX",
    "Ending",
    "Lease",
    "Ran",
    "acquire",
    "acquire_new",
    "answer",
    "ask",
    "cancel",
    "cancel_unrecorded",
    "clear_due",
    "count",
    "create",
    "fail_exhausted",
    "fail_unrecorded",
    "fence",
    "fire",
    "hand_back",
    "link_redriven",
    "listed_under",
    "mark_due",
    "park",
    "park_unheld",
    "place_mark",
    "plan",
    "postpone",
    "postpone_unread",
    "progress",
    "record_failure",
    "record_patch",
    "record_step",
    "release",
    "renew",
    "republish",
    "resume",
    "settle",
    "settle_lean",
    "sleep",
    "step_key",
    "wake",
    "without_arguments",
    "without_history",
]
