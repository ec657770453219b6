"""Line crash-restart."""

import time

from grader.support.waiting import begin_healthy, healthy_again, image_problem, what_became
from labkit.grading.api import Failed, Lab
from labkit.grading.judging.clues import next_thing


def check(lab: Lab) -> None:
    """Your service is healthy again after it was killed (kill −9), and processes images as before.

    Programs die: of memory, of a bug, by mistake. systemd can start them again, if it is told to.
    """
    since = time.time()
    worked = begin_healthy(lab, "killed")
    lab.server.kill_application()
    if not healthy_again(lab, 15):
        state, line = what_became(lab)
        raise Failed(
            f"your service stayed dead after kill −9; {state}" + (f": {line}" if line else ""),
            hint=next_thing(line, "gap unit: when should systemd start it again?"),
            expected="healthy within 15 s", found="no answer on /health", evidence=lab.server.journal(lines=6, since=since),
        )  # fmt: skip
    problem = image_problem(lab) if worked else ""
    if problem:
        raise Failed(
            f"after kill −9 your service does not process an image any more: {problem}",
            hint="gap unit: does what systemd starts again get the same settings as the first time?",
            expected="an image processed, as before", found=problem, evidence=lab.server.journal(lines=6, since=since),
        )  # fmt: skip
