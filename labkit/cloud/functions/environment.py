"""The life of an execution environment, as a state machine under a lock.

What belongs here: which states there are, which change is allowed, and who may use the environment
now. What does not: how it is run (see process, placement) and which one an invocation gets (see pool).

AWS Lambda, "Understanding the Lambda execution environment lifecycle".
"""

import threading
from enum import Enum

from labkit.aws.records import FunctionRecord


class State(Enum):
    """Where an environment is in its life."""

    INIT = "init"
    READY = "ready"
    BUSY = "busy"
    ENDED = "ended"


_ALLOWED = {
    State.INIT: {State.BUSY, State.ENDED},
    State.READY: {State.BUSY, State.ENDED},
    State.BUSY: {State.READY, State.ENDED},
    State.ENDED: set[State](),
}


class Environment:
    """One execution environment: it belongs to one revision of a function and has one log stream.

    It begins in INIT, owned by the invocation that asked for it; an invocation owns it while BUSY.
    """

    def __init__(self, name: str, function: FunctionRecord, log_stream: str) -> None:
        self.name = name
        self.function = function
        self.log_stream = log_stream
        self._state = State.INIT
        self._condemned = False
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """The state now."""
        return self._state

    def take(self) -> bool:
        """Make it BUSY for the caller; False when it isn't there to be taken."""
        return self._change(State.BUSY)

    def give_back(self) -> bool:
        """BUSY → READY; False when it must end instead, because it was condemned meanwhile."""
        with self._lock:
            if self._condemned or State.READY not in _ALLOWED[self._state]:
                return False
            self._state = State.READY
            return True

    def condemn(self) -> None:
        """No further invocation gets it: what owns it now may finish, then it ends."""
        with self._lock:
            self._condemned = True

    def end(self) -> bool:
        """Make it ENDED; False when it was already, so that only one caller cleans up."""
        return self._change(State.ENDED)

    def _change(self, state: State) -> bool:
        with self._lock:
            if state not in _ALLOWED[self._state]:
                return False
            self._state = state
            return True
