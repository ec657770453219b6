"""What befalls requests on their way to AWS, for a rehearsal: late answers, throttling, lost answers.

What belongs here: what befalls which request, decided from a seed, and AWS's words for it. What does not: sockets (relay.py), what
the cloud itself does late (labkit.cloud.pace).

Durations are at AWS's pace, divided by a factor. They are declared, not measured. AWS: EC2 API reference, "Request throttling";
Lambda, DynamoDB and S3 API references, common errors; what is lost is lost after AWS did it.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from labkit.cloud.pace import share

Fate = Literal["passes", "throttled", "lost"]

#: of each operation's requests so many are throttled, and of so many the answer is lost; never more than two in a row
THROTTLED, LOST = 0.08, 0.04
_IN_A_ROW = 2
#: seconds: an answer's delay at the most
DELAY = 0.25


@dataclass(frozen=True)
class Request:
    """What decides about a request: its head and, where it was read, its body."""

    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def operation(self) -> str:
        """What is asked for: "ec2 DescribeVpcs"; of S3 and Lambda method and first part of the path."""
        service = self.host.removesuffix(".amazonaws.com").split(".")
        if "x-amz-target" in self.headers:
            return f"{service[0]} {self.headers['x-amz-target'].rpartition('.')[2]}"
        form = "x-www-form-urlencoded" in self.headers.get("content-type", "")
        action = parse_qs(self.body.decode("utf-8", "replace")).get("Action", [""])[0] if form else ""
        if action:
            return f"{service[0]} {action}"
        method, _, rest = self.target.partition(" ")
        name = "s3" if any(part.startswith("s3") for part in service) else service[0]
        path = urlsplit(rest.partition(" ")[0]).path
        return f"{name} {method} {path.rpartition('/')[2] if name == 'lambda' else ''}".strip()


@dataclass
class Weather:
    """One rehearsal's. For any thread. The same seed befalls the n-th request of an operation with the same."""

    seed: int
    factor: float = 1.0
    counts: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _row: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def delay(self, operation: str) -> float:
        """Seconds by which this answer comes later."""
        return DELAY / self.factor * self._draw(operation, "delay")

    def fate(self, operation: str) -> Fate:
        """What becomes of the next request of this operation."""
        with self._lock:
            self._asked[operation] += 1
            self.counts["requests"] += 1
            drawn = self._draw(operation, "fate")
            found: Fate = (
                "throttled" if drawn < THROTTLED else "lost" if drawn < THROTTLED + LOST else "passes"
            )
            if self._row[operation] >= _IN_A_ROW:
                found = "passes"
            self._row[operation] = 0 if found == "passes" else self._row[operation] + 1
            self.counts[found] += 1
        return found

    def _draw(self, operation: str, what: str) -> float:
        """From 0 to 1, by seed, operation and how often it was asked."""
        return share(f"{self.seed}\n{operation}\n{self._asked[operation]}\n{what}")


def throttling(operation: str) -> bytes:
    """The whole answer to a request that is throttled, as its service says it."""
    service = operation.partition(" ")[0]
    if service == "s3":
        return answer(503, "application/xml", _xml("Error", "SlowDown"))
    if service == "ec2":
        inner = "<Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors>"
        return answer(503, "text/xml", f"<Response>{inner}<RequestID>rehearsed</RequestID></Response>")
    if service in ("cloudformation", "iam", "sts", "sns"):
        inner = "<Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
        return answer(
            400, "text/xml", f"<ErrorResponse>{inner}<RequestId>rehearsed</RequestId></ErrorResponse>"
        )
    if service == "lambda":
        said = {"Type": "User", "message": "Rate exceeded", "Reason": "CallerRateLimitExceeded"}
        return answer(
            429, "application/json", json.dumps(said), "x-amzn-ErrorType: TooManyRequestsException\r\n"
        )
    return answer(
        400,
        "application/x-amz-json-1.1",
        json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}),
    )


def _xml(root: str, code: str) -> str:
    return f"<{root}><Code>{code}</Code><Message>Please reduce your request rate.</Message></{root}>"


def answer(status: int, kind: str, text: str, more: str = "") -> bytes:
    """A whole HTTP answer."""
    body = text.encode()
    head = f"HTTP/1.1 {status} Rehearsed\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body
