"""Requests to one service are answered one after the other, where moto's dicts would not bear two at once.

Plain moto, served by threads: a description while another thread makes something is "dictionary changed size
during iteration", a 500 that AWS never gives.

What belongs here: the locks. What does not: Lambda (an invocation may last a minute, and others go on beside
it) and CloudFormation (ours, with locks of its own).
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from labkit.cloud.moto_seam.replacing import Replacements

#: services whose handlers wait for nobody: their requests are whole in memory before they begin
LOCKED = frozenset({"ec2", "iam", "logs", "ssm", "sts"})
_LOCKS = {service: threading.RLock() for service in sorted(LOCKED)}


def correct_threads(replacements: Replacements) -> None:
    """Take a service's lock around each of its actions."""
    from moto.core.responses import BaseResponse

    @replacements.around(BaseResponse, "call_action")
    def call_action(original: Any, self: Any) -> Any:
        service = str(self.service_name)
        if service not in LOCKED:
            return original(self)
        with _LOCKS[service]:
            return original(self)


@contextlib.contextmanager
def between_requests() -> Iterator[None]:
    """No request to a locked service is under way during the body; those that come wait."""
    with contextlib.ExitStack() as held:
        for lock in _LOCKS.values():
            held.enter_context(lock)
        yield
