"""Plan and book a trip in one conversation, with a manager's approval on the way."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from sqswarm import Swarm
from sqswarm.schemas.errors import SwarmError
from sqswarm.testing.fake_claude.deployed import deployed_with_claude

HERE = Path(__file__).parent
REFERENCE = re.compile(r"TD-[0-9A-F]{8}")
PATIENCE_S = 180

TALK = (
    "I need a hotel and a flight from Berlin to Oslo on 4 May 2027, back a day later.",
    "Book the hotel that fits (H1), for 2027-05-04.",
    "And the late flight (F2), for 2027-05-04: the meeting ends late.",
    "Book the hotel (H1) for 2027-05-04 again, I am not sure that it worked.",
)


def say(swarm: Swarm, text: str, *, trip: str) -> str:
    """Say one thing to the desk and return what it says; a manager approves what is asked."""
    print(f"you:  {text}")
    task = swarm.submit("desk", prompt=text, session_id=trip)
    ends = time.monotonic() + PATIENCE_S
    while not task.status().terminal and time.monotonic() < ends:
        for waiting in swarm.inbox(agent="clerk"):
            asked = waiting.record.asks["approve"]["message"]
            print(f"      a manager is asked: {asked} yes")
            swarm.answer(waiting.record.task_id, "approve", {"approved": True})
        time.sleep(0.3)
    answer = str(task.result(timeout=1))
    print(f"desk: {answer}\n")
    return answer


def main() -> int:
    """Have the conversation; return 0 where it went as it should."""
    try:
        with deployed_with_claude(HERE, stage="travel", script=HERE / "script.json") as (
            swarm,
            claude,
        ):
            trip = f"trip-{time.time_ns()}"
            said = [say(swarm, text, trip=trip) for text in TALK]
            if claude is not None:
                print(f"{len(claude.paid)} calls of the model, {claude.repeated()} twice")
                assert not claude.repeated()
    except SwarmError as error:
        print(f"error: {error}\n  fix: {error.hint}", file=sys.stderr)
        return error.exit_code
    hotel, flight, again = (REFERENCE.findall(text) for text in said[1:])
    assert hotel, "the hotel was not booked"
    assert flight, "the flight was not booked"
    assert hotel == again, "the hotel was booked twice"
    assert hotel != flight
    return 0


if __name__ == "__main__":
    sys.exit(main())
