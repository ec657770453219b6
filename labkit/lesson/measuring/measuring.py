"""Sending images at a set rate, or from several clients at once, and noting how long each layer took.

What belongs here: pacing, one request's record, the measurement as a whole. What does not: statistics
(labkit.course.statistics), plots (labkit.lesson.measuring.plots), what the student is asked about it.
"""

import base64
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from labkit.course.statistics import summary
from labkit.deploy.targets import Clients
from labkit.lesson.path.invoking import read_payload

_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_BILLED = re.compile(r"Billed Duration: (\d+) ms")
#: so many requests may be under way at once when a rate is kept; more would be no laptop's work
MOST_AT_ONCE = 64
#: the layers, in the order in which people read them
LAYERS = ("client", "function", "server", "lambda alone", "network")


@dataclass(frozen=True)
class Request:
    """One request. Times in ms: at the client, in the function (its call of the server), in the server.

    `at`: seconds after the beginning. `init`: the cold start that it paid, 0 for a warm one. A layer that was
    not reached is −1.
    """

    at: float
    status: int
    client: float
    function: float
    server: float
    init: float
    billed: float
    request_id: str


@dataclass(frozen=True)
class Plan:
    """How to measure: `rate` images a second for `seconds`, or `clients` at once for `seconds`.

    `cold`: one after the other, each into an execution environment that has to be started first.
    """

    rate: float = 1.0
    seconds: float = 30.0
    clients: int = 0
    cold: bool = False

    @property
    def name(self) -> str:
        """What files of such a run are called."""
        return "cold" if self.cold else f"clients-{self.clients}" if self.clients else f"rate-{self.rate:g}"


Send = Callable[[], Request]
Progress = Callable[[int, int], None]


def send_one(clients: Clients, function: str, event: Mapping[str, Any], began: float) -> Request:
    """One invocation with its log tail, from which the cold start is read."""
    from botocore.exceptions import ClientError

    api, started = clients.client("lambda", read_timeout=70), time.perf_counter()
    at = time.monotonic() - began
    try:
        answer = api.invoke(FunctionName=function, Payload=json.dumps(event).encode(), LogType="Tail")
        payload = answer["Payload"].read()
    except ClientError as error:
        code = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
        return Request(at, code, _since(started), -1, -1, 0, 0, "")
    client = _since(started)
    status, body, _ = read_payload(payload, bool(answer.get("FunctionError")))
    tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    result = body.get("result")
    server = result.get("server_ms", -1) if isinstance(result, Mapping) else -1
    return Request(
        round(at, 4), status, client, _number(body.get("lambda_ec2_call_time_ms")), _number(server),
        _found(_INIT, tail), _found(_BILLED, tail), answer["ResponseMetadata"].get("RequestId", ""),
    )  # fmt: skip


@contextmanager
def made_cold(clients: Clients, function: str) -> Iterator[Callable[[], None]]:
    """Gives what makes the next call a cold start; afterwards the function's configuration is as before.

    AWS Lambda, "Understanding the Lambda execution environment lifecycle": a changed configuration starts
    new environments.
    """
    api, numbers = clients.client("lambda"), itertools.count(1)
    before = api.get_function_configuration(FunctionName=function).get("Description", "")

    def describe(text: str) -> None:
        api.update_function_configuration(FunctionName=function, Description=text)
        api.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})

    try:
        yield lambda: describe(f"cold start {next(numbers)}")
    finally:
        describe(before)


def _since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 3)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0


def _found(pattern: re.Pattern[str], text: str) -> float:
    match = pattern.search(text)
    return float(match[1]) if match else 0.0


# ---- Pacing -------------------------------------------------------------------------------------------


def measure(plan: Plan, send: Send, progress: Progress) -> list[Request]:
    """Send as the plan says; returns the requests in the order in which they were begun."""
    run = _from_clients if plan.clients or plan.cold else _at_a_rate
    return sorted(run(plan, send, progress), key=lambda request: request.at)


def _at_a_rate(plan: Plan, send: Send, progress: Progress) -> list[Request]:
    """An open loop: a request begins when it is due, whether or not the one before is back."""
    total = max(1, round(plan.rate * plan.seconds))
    began = time.monotonic()
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        waiting = []
        for number in range(total):
            time.sleep(max(0.0, began + number / plan.rate - time.monotonic()))
            waiting.append(pool.submit(send))
            progress(number + 1, total)
        return [future.result() for future in waiting]


def _from_clients(plan: Plan, send: Send, progress: Progress) -> list[Request]:
    """A closed loop: each client sends the next as soon as it has its answer."""
    end, lock, done = time.monotonic() + plan.seconds, threading.Lock(), [0]

    def client() -> list[Request]:
        return list(_until(end, send, lock, done, progress))

    count = 1 if plan.cold else plan.clients
    with ThreadPoolExecutor(count) as pool:
        results = [pool.submit(client) for _ in range(count)]
        return [request for result in results for request in result.result()]


def _until(
    end: float, send: Send, lock: threading.Lock, done: list[int], progress: Progress
) -> Iterator[Request]:
    while time.monotonic() < end:
        yield send()
        with lock:
            done[0] += 1
            progress(done[0], 0)


# ---- The measurement ------------------------------------------------------------------------------------


def layers(requests: Sequence[Request], *, cold: bool = False) -> Mapping[str, list[float]]:
    """The times of successful warm (or `cold`) requests by layer: what each layer alone took, and the whole."""
    whole = [r for r in requests if r.status == 200 and r.function >= 0 and r.server >= 0]
    good = [r for r in whole if bool(r.init) == cold]
    return {
        "client": [r.client for r in good],
        "function": [r.function for r in good],
        "server": [r.server for r in good],
        "lambda alone": [r.client - r.function for r in good],
        "network": [r.function - r.server for r in good],
    }


def report(plan: Plan, requests: Sequence[Request], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about one run as plain JSON values."""
    statuses = Counter(str(request.status) for request in requests)
    good = statuses.get("200", 0)
    colds = [request.init for request in requests if request.init]
    took = max((r.at + r.client / 1000 for r in requests), default=0.0)
    return {
        "format": 1,
        "plan": asdict(plan),
        "about": dict(about),
        "requests": [asdict(r) for r in requests],
        "statuses": dict(statuses),
        "success_rate": round(good / len(requests), 4) if requests else 0.0,
        "per_second": round(len(requests) / took, 2) if took else 0.0,
        "cold_starts": summary(colds),
        "layers": {name: summary(values) for name, values in layers(requests, cold=plan.cold).items()},
        "billed_ms": summary([r.billed for r in requests if r.billed]),
    }


def inconsistent(requests: Sequence[Request]) -> list[str]:
    """What cannot be: a part that took longer than the whole, times below zero."""
    wrong = []
    for request in requests:
        if request.status != 200:
            continue
        if not 0 <= request.server <= request.function + 0.5 <= request.client + 1:
            wrong.append(
                f"at {request.at:.1f} s: {request.client} / {request.function} / {request.server} ms"
            )
    return wrong
