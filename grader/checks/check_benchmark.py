"""Line benchmark."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from grader.support.evidence import MEASUREMENTS, number, read
from labkit.grading.api import Failed, Lab, lost

_FEWEST = 30
_NEAR = 0.1
#: Lambda's price for x86 in us-east-1, in dollars for each GB-second; requests themselves are left out
_GB_SECOND = 0.0000166667
_MEMORY_GB = 0.25


def check(lab: Lab) -> None:
    """You measured long enough at the rate you set, and your three answers agree with your own data.

    A number without the measurement behind it is an opinion.
    """
    told = read(lab, MEASUREMENTS, "07")
    samples = [each for each in told.get("samples") or [] if isinstance(each, Mapping)]
    enough, why = lost(_enough(told, samples))
    right, wrong = (
        lost(_answers(told.get("answers"), samples)) if samples else (0.0, "nothing to compare with")
    )
    if enough < 1 or right < 1:
        raise Failed(
            "; ".join(text for text in (why, wrong) if text), fraction=((enough == 1) + 2 * right) / 3,
            hint="measure again with step 07, then compute the answers from that file",
            expected=f"{_FEWEST} requests or more at the set rate, answers within 10 %", found=why or wrong,
        )  # fmt: skip


def _enough(told: Mapping[str, Any], samples: list[Mapping[str, Any]]) -> Iterator[tuple[bool, str]]:
    due = number(told.get("rate")) * number(told.get("seconds"))
    yield len(samples) >= max(_FEWEST, 0.9 * due), f"{len(samples)} requests are too few"
    times = [number(each.get("at")) for each in samples]
    lasted = max(times) - min(times) if times else 0
    yield lasted >= 0.8 * number(told.get("seconds")) - 1, "they did not last as long as set"
    ids = [each.get("request_id") for each in samples]
    yield len(set(ids)) == len(ids), "a request stands there twice"


def _answers(told: object, samples: list[Mapping[str, Any]]) -> Iterator[tuple[bool, str]]:
    answers = told if isinstance(told, Mapping) else {}
    for name, value in _right(samples).items():
        near = abs(number(answers.get(name)) - value) <= _NEAR * abs(value)
        yield near, f"{name} is not what your measurements give"


def _right(samples: list[Mapping[str, Any]]) -> Mapping[str, float]:
    """The three answers from the data: the server's share, the 95th percentile, the price of a million."""
    client, inside, server = (
        [number(each.get(name)) for each in samples] for name in ("client_ms", "lambda_ms", "server_ms")
    )
    waiting = statistics.fmean(inside) / 1000
    return {
        "server_share": statistics.fmean(server) / statistics.fmean(client),
        "p95_ms": sorted(client)[max(0, -(-95 * len(client) // 100) - 1)],
        "million_usd": 1_000_000 * waiting * _MEMORY_GB * _GB_SECOND,
    }
