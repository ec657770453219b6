"""Requests to one service are answered one after the other, where moto's dicts would not bear two at once.

Plain moto, served by threads: a description while another thread makes something is "dictionary changed size
during iteration", a 500 that AWS never gives.

What belongs here: the locks. What does not: Lambda (an invocation may last a minute, and others go on beside
it) and CloudFormation (ours, with locks of its own).
"""

import threading
from collections import defaultdict
from typing import Any

from labkit.cloud.moto_seam.replacing import Replacements

#: services whose handlers wait for nobody: their requests are whole in memory before they begin
LOCKED = frozenset({"ec2", "iam", "logs", "ssm", "sts"})


def correct_threads(replacements: Replacements) -> None:
    """Take a service's lock around each of its actions."""
    from moto.core.responses import BaseResponse

    locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @replacements.around(BaseResponse, "call_action")
    def call_action(original: Any, self: Any) -> Any:
        service = str(self.service_name)
        if service not in LOCKED:
            return original(self)
        with locks[service]:
            return original(self)
