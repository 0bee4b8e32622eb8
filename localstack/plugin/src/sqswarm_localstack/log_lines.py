"""What CloudWatch Logs shows of one invocation."""

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Run:
    """One invocation, as far as its log is concerned."""

    request_id: str
    version: str
    init_output: str
    output: str
    failure: str | None
    timed_out: bool
    duration_ms: float
    init_ms: float | None
    memory_mb: int
    peak_memory_mb: int


def render(run: Run) -> str:
    """Write the lines that Lambda writes: INIT_START, START, the output, END and REPORT."""
    lines: list[str] = []
    if run.init_ms is not None:
        lines.append("INIT_START Runtime Version: sqswarm-host")
    lines += [run.init_output.rstrip("\n")] if run.init_output else []
    lines.append(f"START RequestId: {run.request_id} Version: {run.version}")
    lines += [run.output.rstrip("\n")] if run.output else []
    if run.failure:
        lines.append(_failure_line(run))
    lines.append(f"END RequestId: {run.request_id}")
    report = (
        f"REPORT RequestId: {run.request_id}\tDuration: {run.duration_ms:.2f} ms\t"
        f"Billed Duration: {math.ceil(run.duration_ms)} ms\tMemory Size: {run.memory_mb} MB\t"
        f"Max Memory Used: {run.peak_memory_mb} MB"
    )
    if run.init_ms is not None:
        report += f"\tInit Duration: {run.init_ms:.2f} ms"
    lines.append(report)
    return "\n".join(lines) + "\n"


def _failure_line(run: Run) -> str:
    if not run.timed_out:
        return run.failure or ""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    reason = (run.failure or "").partition("Error: ")[2]
    return f"{stamp} {run.request_id} {reason}"
