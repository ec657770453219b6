"""Answers that a client's SDK asks for again, because the first got lost on the way.

A busy machine loses one now and then: Terraform's provider closed some one of 200 connections on loopback right after
the whole answer was written, asked again, and was told that the rule it had just revoked does not exist. AWS's own
network is too far away for anybody to see this; here a lab would fail for no reason of its own.

What belongs here: which answers are kept, and when one is given again. What does not: making them.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.aws.records import Principal
from labkit.cloud.door.reading import Asked, Environ

#: answers kept, and bytes of the longest
KEPT, LONGEST = 256, 64 * 1024
_INVOCATION, _ATTEMPT = "HTTP_AMZ_SDK_INVOCATION_ID", "HTTP_AMZ_SDK_REQUEST"
_FURTHER = re.compile(r"attempt=([2-9]|\d\d)")

Key = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A successful answer as it was given."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def key_of(environ: Environ, asked: Asked, principal: Principal) -> Key | None:
    """What all attempts of one call have in common; None for calls that change nothing or don't say.

    AWS SDKs and Tools reference, "Retry behavior": the headers amz-sdk-invocation-id and amz-sdk-request.
    """
    invocation = environ.get(_INVOCATION)
    if not asked.mutates or not invocation:
        return None
    return (principal.arn, asked.service, asked.operation, asked.region, str(invocation))


class Answered:
    """The newest answers to calls that changed something. For any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def again(self, key: Key | None, environ: Environ) -> Answer | None:
        """The answer that an earlier attempt was given, None where this is the first or that one failed."""
        if key is None or not _FURTHER.match(str(environ.get(_ATTEMPT, ""))):
            return None
        with self._lock:
            return self._kept.get(key)

    def keep(
        self, key: Key | None, status: str, headers: list[tuple[str, str]], parts: Iterable[bytes]
    ) -> Iterable[bytes]:
        """The same answer, kept for a further attempt where it is not too long."""
        if key is None:
            return parts
        body = _whole(parts)
        if len(body) <= LONGEST:
            with self._lock:
                self._kept[key] = Answer(status, tuple(headers), body)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return [body]


def _whole(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
