"""The runner without a loop: its threads end with it."""

import gc
import threading
import time

from sqswarm.backends.runner import BlockingRunner


async def thread():
    return threading.current_thread()


def run(work):
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError


def test_a_runner_that_nobody_has_any_more_leaves_no_thread():
    runner = BlockingRunner()
    used = set(run(runner.gather([thread() for _ in range(8)]))) - {threading.current_thread()}
    assert used
    del runner
    gc.collect()
    deadline = time.monotonic() + 30
    while any(one.is_alive() for one in used):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_gathered_within_a_gathered_piece_needs_no_other_thread():
    runner = BlockingRunner(threads=2)

    async def nested():
        return await runner.gather([thread() for _ in range(4)])

    for threads in run(runner.gather([nested() for _ in range(4)])):
        assert len(set(threads)) == 1
    runner.close()
