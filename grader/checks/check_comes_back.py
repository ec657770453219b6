"""Line comes-back."""

from grader.support.waiting import healthy_again, image_problem
from labkit.grading.api import Failed, Lab

#: leaves a wrong system without its service: judged after the others
DISTURBS = True


def check(lab: Lab) -> None:
    """Your service is healthy again after the server was stopped and started, and processes images as before.

    At the end of every Learner Lab session the server is stopped. User data does not run a second time.
    """
    if not lab.server.wait_healthy(5):
        raise Failed("your service is not healthy, before anything was stopped", hint="./lab logs server",
                     expected="healthy", found="no answer on /health")  # fmt: skip
    worked = not image_problem(lab)  # where no image works, that is the business of other lines
    lab.server.stop()
    lab.server.start()
    if not healthy_again(lab, 15):
        raise Failed(
            "your service did not come back after stop and start",
            hint="gap unit: `start` is for now; which word is for every boot?",
            expected="healthy within 15 s", found="no answer on /health", evidence=lab.server.journal(lines=6),
        )  # fmt: skip
    problem = image_problem(lab) if worked else ""
    if problem:
        raise Failed(
            f"after stop and start your service does not process an image any more: {problem}",
            hint="gap unit: what did the service know before that was in memory only (/run, systemctl set-environment)?",
            expected="an image processed, as before", found=problem, evidence=lab.server.journal(lines=6),
        )  # fmt: skip
