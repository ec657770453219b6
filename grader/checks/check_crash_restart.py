"""Line crash-restart."""

from grader.support.waiting import healthy_again
from labkit.grading.api import Failed, Lab

#: leaves a wrong system without its service: judged after the others
DISTURBS = True


def check(lab: Lab) -> None:
    """Your service is healthy again after it was killed (kill −9).

    Programs die: of memory, of a bug, by mistake. systemd can start them again, if it is told to.
    """
    if not lab.server.wait_healthy(5):
        raise Failed("your service is not healthy, before anything was killed", hint="./lab logs server",
                     expected="healthy", found="no answer on /health")  # fmt: skip
    lab.server.kill_application()
    if not healthy_again(lab, 15):
        raise Failed(
            "your service stayed dead after kill −9", hint="gap unit: when should systemd start it again?",
            expected="healthy within 15 s", found="no answer on /health", evidence=lab.server.journal(lines=6),
        )  # fmt: skip
