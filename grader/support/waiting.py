"""A service that was stopped or killed: waiting for it to work again, and no longer than there is hope.

What belongs here: what counts as working, when to stop waiting. What does not: what was done to the service (the checks).
"""

import time

from grader.support.pictures import ask, said
from labkit.grading.api import Failed, Lab
from labkit.grading.judging.clues import clue, next_thing, telling

#: what a unit is called while systemd runs it or is about to
_HOPE = ("active", "activating", "reloading", "deactivating")
#: a service that starts late may start within this
_LEAST = 4.0


def begin_healthy(lab: Lab, done: str) -> bool:
    """Whether an image is processed, before anything is `done` ("killed"). Raises Failed where the service is not healthy.

    It is where it answers, and systemd holds it for started. Where no image works, that is the business of other lines.
    """
    if not lab.server.wait_healthy(5) or _starting(lab):
        state, line = what_became(lab)
        raise Failed(
            f"your service is not healthy, before anything was {done}; {state}" + (f": {line}" if line else ""),
            hint=next_thing(line, "./lab logs server"), expected="healthy", found="no answer on /health",
        )  # fmt: skip
    return not image_problem(lab)


def _starting(lab: Lab) -> str:
    """A service that answers, perhaps, but that systemd does not hold for started: it will be ended when its time is up."""
    units = lab.server.units().items()
    return next((name for name, unit in units if name.endswith(".service") and unit.sub == "start"), "")


def image_problem(lab: Lab) -> str:
    """What a good image is answered now, "" when it is processed: /health needs no setting, an image needs them all."""
    reply = ask(lab, lab.images.publish(lab.images.make("png", lab.random.randint(500, 5000))))
    return "" if reply.status == 200 else said(reply)


def healthy_again(lab: Lab, seconds: float) -> bool:
    """Whether /health answers within `seconds`, and systemd holds the service for started; given up early without hope."""
    started = time.monotonic()
    while not lab.server.wait_healthy(1.0) or _starting(lab):
        waited = time.monotonic() - started
        if waited > seconds or (waited > _LEAST and not _hope(lab)):
            return False
    return True


def _hope(lab: Lab) -> bool:
    return any(unit.state in _HOPE for name, unit in lab.server.units().items() if name.endswith(".service"))


NOT_STARTED = "systemd did not start it"


def what_became(lab: Lab) -> tuple[str, str]:
    """What systemd made of the service, and the one line of its journal that says why it failed, "" for none."""
    units = [unit for name, unit in lab.server.units().items() if name.endswith(".service")]
    if not units:
        return NOT_STARTED, ""
    if _starting(lab):
        return f"systemd still waits for {_starting(lab)} to say that it has started (Type=)", ""
    unit = min(units, key=lambda unit: unit.state in _HOPE)
    line = telling(lab.server.journal(unit.name, lines=40))
    if unit.state == "failed":
        return "it failed", line if clue(line) else ""
    return ("it runs, and does not answer" if unit.state == "active" else "it is not running"), line if clue(
        line
    ) else ""
