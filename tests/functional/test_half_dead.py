"""Whatever of the cloud's own processes dies, the cloud does not go on as half a one: it ends, and the next command begins anew."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.base.descriptors import MOST, too_low
from labkit.base.events import Event
from labkit.cloud.client.lifecycle import LocalCloud
from tests.aws.live import eventually


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    reader, writer = os.pipe()
    made = LocalCloud(tmp_path, leash=reader)
    yield made
    made.stop()
    os.close(reader)
    os.close(writer)


def below(process: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    children = [
        int(number)
        for task in Path(f"/proc/{process}/task").iterdir()
        for number in (task / "children").read_text().split()
    ]
    return children + [deeper for child in children for deeper in below(child)]


def warm_parents(process: int) -> list[int]:
    named = {number: Path(f"/proc/{number}/cmdline").read_bytes() for number in below(process)}
    return [number for number, words in named.items() if b"labkit.sandbox" in words]


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, -1])
def test_a_cloud_without_its_sandboxes_ends_and_the_next_one_says_so(cloud: LocalCloud, place: int) -> None:
    endpoint = cloud.ensure()
    soft = next(
        line.split()[3]
        for line in Path(f"/proc/{endpoint.pid}/limits").read_text().splitlines()
        if "open files" in line
    )
    hard = next(
        line.split()[4]
        for line in Path(f"/proc/{endpoint.pid}/limits").read_text().splitlines()
        if "open files" in line
    )
    assert int(soft) == min(int(hard), MOST)
    os.kill(warm_parents(endpoint.pid)[place], signal.SIGKILL)
    assert eventually(lambda: cloud.running() is None, 20)
    assert cloud.was_lost
    told: list[Event] = []
    assert cloud.ensure(told.append).pid != endpoint.pid
    assert any("had ended without being stopped" in event.text for event in told)


def test_a_limit_of_descriptors_that_is_too_low_is_told() -> None:
    assert too_low(1024) == ""
    assert "only 256 may be open at once" in too_low(256)
