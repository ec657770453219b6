"""Waiting for the service to be healthy again, and no longer than there is hope.

What belongs here: when to stop waiting. What does not: what was done to the service (the checks).
"""

import time

from labkit.grading.api import Lab

#: what a unit is called while systemd runs it or is about to
_HOPE = ("active", "activating", "reloading", "deactivating")
#: a service that starts late may start within this
_LEAST = 4.0


def healthy_again(lab: Lab, seconds: float) -> bool:
    """Whether /health answers within `seconds`; given up early when systemd runs no service any more."""
    started = time.monotonic()
    while not lab.server.wait_healthy(1.0):
        waited = time.monotonic() - started
        if waited > seconds or (waited > _LEAST and not _hope(lab)):
            return False
    return True


def _hope(lab: Lab) -> bool:
    return any(unit.state in _HOPE for name, unit in lab.server.units().items() if name.endswith(".service"))
