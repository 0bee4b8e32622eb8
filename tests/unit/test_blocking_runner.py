"""The runner without a loop: its threads end with it."""

import gc
import threading
import time

from sqswarm.backends.runner import BlockingRunner


async def name():
    return threading.current_thread().name


def run(work):
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError


def test_a_runner_that_nobody_has_any_more_leaves_no_thread():
    runner = BlockingRunner()
    used = set(run(runner.gather([name() for _ in range(8)])))
    assert used - {threading.current_thread().name}
    del runner
    gc.collect()
    deadline = time.monotonic() + 30
    while used & {one.name for one in threading.enumerate()}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_gathered_within_a_gathered_piece_needs_no_other_thread():
    runner = BlockingRunner(threads=2)

    async def nested():
        return await runner.gather([name() for _ in range(4)])

    for names in run(runner.gather([nested() for _ in range(4)])):
        assert len(set(names)) == 1
    runner.close()
