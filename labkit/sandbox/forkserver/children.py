"""A single-threaded parent between two things: requests that come in, and children that end.

What belongs here: waiting for both at once. What does not: what a request asks for, what a child is.
"""

import os
import select
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Children(Generic[T]):
    """The children by their pidfds, each with what its parent has to know at its end."""

    def __init__(self, connection: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._held: dict[int, T] = {}

    def add(self, pidfd: int, about: T) -> None:
        """Watch one more; its pidfd is ours from now on."""
        self._held[pidfd] = about
        self._poll.register(pidfd, select.POLLIN)

    def serve(self, answer: Callable[[], bool], ended: Callable[[T], object]) -> None:
        """Call `answer` for each request, until it says that nobody asks any more, and `ended` for each child."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._held:
                    self._poll.unregister(descriptor)
                    ended(self._held.pop(descriptor))
                    os.close(descriptor)
                elif not answer():
                    return
