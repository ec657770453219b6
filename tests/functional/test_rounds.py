"""Deploying and destroying again and again leaves nothing behind in a cloud that goes on running."""

import contextlib
import os
from pathlib import Path

import pytest

from labkit.base.events import ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

MEGABYTES = 20


class Traces:
    """What a cloud holds of the machine: processes, descriptors, namespaces, files, memory."""

    def __init__(self, cloud: LocalCloud, pid: int) -> None:
        status = cloud.ask("GET", "status")
        self.processes = status["processes"]
        self.memory_mb = status["memory_mb"]
        self.descriptors = {p: len(os.listdir(f"/proc/{p}/fd")) for p in family(pid)[:3]}
        self.namespaces = {os.readlink(f"/proc/{p}/ns/net") for p in family(pid)}
        self.files = sorted(str(p) for p in cloud.folder.rglob("*") if "code" not in p.parts)


def family(pid: int) -> list[int]:
    """`pid` and everything below it, parents first; what ends while we look is left out."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError):
                found += [int(child) for child in task.read_text().split()]
    return found


def rounds(base: Path, root: Path, count: int) -> tuple[Traces, Traces]:
    """Deploy, process and destroy `count` times on one cloud; its traces after the second and the last."""
    places = Places(root, base)
    cloud = LocalCloud(places.state / "cloud")
    options = Options(student="rounds@lab.example", solution=True)
    after_second = None
    try:
        for number in range(count):
            for step in ("01", "03", "05", "10"):
                result = run_step(Context(places, load(root), options, ignore, cloud), step)
                assert result.passed, result
            if number == 1:
                after_second = Traces(cloud, cloud.ensure().pid)
        assert after_second is not None
        return after_second, Traces(cloud, cloud.ensure().pid)
    finally:
        cloud.stop()


@pytest.mark.verify
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_rounds_leave_nothing_behind(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    before, after = rounds(tmp_path, request.config.rootpath, 50)
    assert after.processes == before.processes
    assert after.namespaces == before.namespaces
    assert after.files == before.files
    for mine, theirs in zip(before.descriptors.values(), after.descriptors.values(), strict=True):
        assert theirs <= mine + 2
    assert after.memory_mb <= before.memory_mb + MEGABYTES
