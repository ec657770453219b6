"""Policies as IAM shows them to services: a change is seen only a while after it was made.

What belongs here: what was in force when. What does not: reading policies (identities), deciding with them (labkit.aws.iam).

AWS: IAM user guide, "Troubleshoot IAM", "Changes that I make are not always immediately visible".
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from labkit.aws.records import PolicyDocument
from labkit.cloud.pace import Pace

Documents = tuple[PolicyDocument, ...]


class Seen:
    """What is seen of everybody's policies. For any thread.

    `now`: all of them by their holder's ARN; `of`: those of one holder.
    """

    def __init__(
        self,
        pace: Pace,
        now: Callable[[], Mapping[str, Documents]],
        of: Callable[[Any], Documents],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace, self._now, self._of, self._clock = pace, now, of, clock
        self._history: list[tuple[float, Mapping[str, Documents]]] = []
        self._lock = threading.Lock()

    def changed(self) -> None:
        """Some policy may have changed; the first time this says what there is to begin with."""
        if self._pace.policy:
            with self._lock:
                at = self._clock() if self._history else -math.inf
                self._history.append((at, self._now()))

    def of(self, holder: Any) -> Documents:
        """The holder's policies as they are seen now."""
        true = self._of(holder)
        if not self._pace.policy:
            return true
        with self._lock:
            horizon = self._clock() - self._pace.policy
            while len(self._history) > 1 and self._history[1][0] <= horizon:
                del self._history[0]
            seen = self._history[0][1].get(holder.arn, ())
        if seen != true:
            self._pace.counts.add("policy not seen yet")
        return seen
