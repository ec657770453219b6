"""Declared delays: as long as was said, the same from the same seed, and over when their time is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client
from werkzeug.wrappers import Response

from labkit.cloud.web.latency import LONGEST_MS, Delay, Latency

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=ASIAX/20261128/ap-south-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)


TYPICAL = Delay(100, 200)


def waits(seed: int, count: int = 400, delay: Delay = TYPICAL) -> list[float]:
    waited: list[float] = []
    latency = Latency(waited.append)
    latency.declare({"images": delay}, seed=seed, seconds=60)
    for _ in range(count):
        latency.wait("images")
    return waited


def test_the_same_seed_gives_the_same_waits() -> None:
    assert waits(7) == waits(7)
    assert waits(7) != waits(8)


@given(st.integers(), st.floats(1, 500), st.floats(1.01, 3))
def test_half_the_waits_are_below_the_median_and_few_above_p95(
    seed: int, median: float, factor: float
) -> None:
    found = waits(seed, 200, Delay(median, median * factor))
    assert 0.3 <= sum(w <= median / 1000 for w in found) / 200 <= 0.7
    assert sum(w > median * factor / 1000 * 1.0001 for w in found) <= 30
    assert max(found) <= LONGEST_MS / 1000


def test_nothing_is_delayed_that_was_not_declared_or_whose_time_is_over() -> None:
    waited: list[float] = []
    latency = Latency(waited.append)
    latency.wait("images")
    latency.declare({"images": Delay(5, 9)}, seed=1, seconds=60)
    latency.wait("s3")
    latency.declare({"images": Delay(5, 9)}, seed=1, seconds=-1)
    latency.wait("images")
    assert waited == []


@pytest.mark.parametrize(
    ("kind", "delay"),
    [("disk", Delay(1, 2)), ("s3", Delay(2, 1)), ("s3", Delay(0, 1)), ("s3", Delay(1, 1e9))],
)
def test_what_can_not_be_is_refused(kind: str, delay: Delay) -> None:
    with pytest.raises(ValueError, match=kind):
        Latency().declare({kind: delay}, seed=1, seconds=1)


@pytest.mark.parametrize(
    ("where", "path", "service", "delayed"),
    [
        ("on_stores", "/bucket/key", "s3", "s3"), ("on_stores", "/", "dynamodb", "dynamodb"),
        ("on_stores", "/", "sts", ""), ("on_invoke", "/2015-03-31/functions/f/invocations", "lambda", "client"),
        ("on_invoke", "/2015-03-31/functions/f", "lambda", ""),
    ],
)  # fmt: skip
def test_each_request_waits_for_its_own_kind(where: str, path: str, service: str, delayed: str) -> None:
    asked: list[Any] = []

    class Noted(Latency):
        def wait(self, kind: str) -> None:
            asked.append(kind)

    client = Client(getattr(Noted(), where)(Response("fine")))
    assert client.get(path, headers={"Authorization": SIGNED.format(service)}).data == b"fine"
    assert asked == ([delayed] if delayed else [])
