"""A DNS resolver for sandboxes: it answers on UDP sockets that were made inside them.

What belongs here: DNS's messages, and one thread that answers. What does not: what names mean, which is
passed in. RFC 1035; Amazon VPC user guide, "Amazon DNS server".
"""

import contextlib
import logging
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.aws.addresses import RESOLVER_ADDRESS, RESOLVER_PORT

_log = logging.getLogger(__name__)

_HEADER = struct.Struct(">6H")
_A, _AAAA, _IN = 1, 28, 1
_ANSWER, _RECURSION = 0x8000, 0x0180
_NO_ERROR, _FORMAT_ERROR, _NO_SUCH_NAME, _NOT_IMPLEMENTED = 0, 1, 3, 4
_LONGEST_QUERY = 512
SECONDS_TO_LIVE = 60

#: (who asks, name) → the IPv4 address, None where there is no such name; raises LookupError to be silent
Lookup = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Question:
    """What a query asks, and the bytes that repeat it in the answer."""

    number: int
    flags: int
    name: str
    kind: int
    repeated: bytes


def read(query: bytes) -> Question | None:
    """The question of a query; None for what is no query with one question. Never raises."""
    if len(query) < _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(query)
    if flags & _ANSWER or questions != 1:
        return None
    labels, position = [], _HEADER.size
    while position < len(query) and 0 < (length := query[position]) < 64:
        labels.append(query[position + 1 : position + 1 + length].decode("ascii", "replace"))
        position += 1 + length
    end = position + 5
    if end > len(query) or query[position] != 0:
        return None
    kind, _ = struct.unpack_from(">HH", query, position + 1)
    return Question(number, flags, ".".join(labels).lower(), kind, query[_HEADER.size : end])


def answer(question: Question, address: str | None) -> bytes:
    """The answer: the address where one was asked for, nothing for other kinds, or "no such name"."""
    if question.flags & 0x7800:
        return _message(question, _NOT_IMPLEMENTED, b"")
    if address is None:
        return _message(question, _NO_SUCH_NAME, b"")
    if question.kind != _A:
        return _message(question, _NO_ERROR, b"")
    record = struct.pack(">HHHIH", 0xC00C, _A, _IN, SECONDS_TO_LIVE, 4) + socket.inet_aton(address)
    return _message(question, _NO_ERROR, record)


def _message(question: Question, code: int, record: bytes) -> bytes:
    flags = _ANSWER | (question.flags & 0x7900) | _RECURSION | code
    counts = (1, 1 if record else 0, 0, 0)
    return _HEADER.pack(question.number, flags, *counts) + question.repeated + record


class Resolver:
    """Answers all its sockets in one thread until closed."""

    loopback: tuple[str, ...] = (RESOLVER_ADDRESS,)
    datagrams: tuple[tuple[str, int], ...] = ((RESOLVER_ADDRESS, RESOLVER_PORT),)

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._waker, self._wakee = socket.socketpair()
        self._selector.register(self._wakee, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="resolver", daemon=True)
        self._thread.start()

    def add(self, name: str, sockets: Sequence[socket.socket]) -> None:
        """Answer what `name` asks on this one socket, which is ours from now on."""
        (made,) = sockets
        made.setblocking(False)
        with self._lock:
            self._sockets[name] = made
            self._selector.register(made, selectors.EVENT_READ, name)

    def remove(self, name: str) -> None:
        """Answer no more, and close the socket; unknown names are fine."""
        with self._lock:
            made = self._sockets.pop(name, None)
            if made is not None:
                self._selector.unregister(made)
                made.close()

    def close(self) -> None:
        """End the thread and close every socket."""
        self._waker.close()
        self._thread.join()
        for name in list(self._sockets):
            self.remove(name)
        self._selector.close()
        self._wakee.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                self._answer(key.data)

    def _answer(self, name: str) -> None:
        made = self._sockets.get(name)
        if made is None:
            return
        with contextlib.suppress(OSError):  # nothing there after all, or the asker has gone
            query, asker = made.recvfrom(_LONGEST_QUERY)
            question = read(query)
            if question is not None:
                self._respond(made, asker, name, question)

    def _respond(self, made: socket.socket, asker: tuple[Any, ...], name: str, question: Question) -> None:
        try:
            address = self._lookup(name, question.name)
        except LookupError:
            return
        except Exception:  # the edge of the resolver: one bad name must not silence it
            _log.exception("looking up %s", question.name)
            return
        made.sendto(answer(question, address), asker)
