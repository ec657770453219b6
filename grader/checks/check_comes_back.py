"""Line comes-back."""

import time

from grader.support.waiting import NOT_STARTED, begin_healthy, healthy_again, image_problem, what_became
from labkit.grading.api import Failed, Lab
from labkit.grading.judging.clues import next_thing

_NOT_STARTED = "gap unit: `start` is for now; which word is for every boot?"


def check(lab: Lab) -> None:
    """Your service is healthy again after the server was stopped and started, and processes images as before.

    At the end of every Learner Lab session the server is stopped. User data does not run a second time.
    """
    since = time.time()
    worked = begin_healthy(lab, "stopped")
    lab.server.stop()
    lab.server.start()
    if not healthy_again(lab, 15):
        state, line = what_became(lab)
        otherwise = "what does its journal say?  ./lab logs server"
        raise Failed(
            f"your service did not come back after stop and start; {state}" + (f": {line}" if line else ""),
            hint=_NOT_STARTED if state == NOT_STARTED else next_thing(line, otherwise),
            expected="healthy within 15 s", found="no answer on /health", evidence=lab.server.journal(lines=6, since=since),
        )  # fmt: skip
    problem = image_problem(lab) if worked else ""
    if problem:
        raise Failed(
            f"after stop and start your service does not process an image any more: {problem}",
            hint="gap unit: what did the service know before that was in memory only (/run, systemctl set-environment)?",
            expected="an image processed, as before", found=problem, evidence=lab.server.journal(lines=6, since=since),
        )  # fmt: skip
