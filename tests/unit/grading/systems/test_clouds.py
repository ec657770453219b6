"""Which cloud a system gets, and what becomes of it where deploying is our trouble."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.base.errors import CloudError, EngineError, EngineMissing, LabError
from labkit.grading.systems.clouds import Clouds


class Told(Clouds):
    """Clouds that are only noted; `trouble` is what deploying a system raises."""

    started: list[Any]
    trouble: LabError | None = None

    def _start(self) -> Any:
        lease = SimpleNamespace(kept=False, cloud=None, endpoint=None, closed=False)
        lease.close = lambda: setattr(lease, "closed", True)
        self.started.append(lease)
        return lease

    def _make(self, cloud: Any, endpoint: Any, region: str, folder: Path, engine: str = "") -> Any:
        return _System(engine or self.sources.task.engine, folder, self)


class _System:
    """A system that can be emptied."""

    def __init__(self, engine: str, folder: Path, clouds: Told) -> None:
        self.engine_name, self.folder, self._clouds = engine, folder, clouds

    def deploy(self, files: object) -> str:
        if self._clouds.trouble:
            raise self._clouds.trouble
        return "deployed"

    def destroy(self) -> None:
        """Nothing stands."""

    def survivors(self) -> list[str]:
        return []


@pytest.fixture
def clouds() -> Told:
    task = SimpleNamespace(work="/work", kept="", engine="terraform")
    nothing: Any = None
    made = Told(SimpleNamespace(task=task), nothing, nothing)  # type: ignore[arg-type]
    made.started = []
    return made


def test_an_engine_that_is_not_here_is_tried_once_and_no_cloud_is_started_for_it_again(clouds: Told) -> None:
    clouds.trouble = EngineMissing("The AWS provider can't be fetched.")
    system = clouds.empty_system("eu-north-1")
    with pytest.raises(EngineMissing):
        clouds.deploy(system, {})
    with pytest.raises(EngineMissing):
        clouds.empty_system("eu-north-1")
    assert len(clouds.started) == 1
    assert clouds.lacks_engine
    clouds.trouble = None
    assert clouds.deploy(clouds.empty_system("eu-north-1", "cloudformation"), {}) == "deployed"
    assert len(clouds.started) == 1  # the other engine uses the same cloud


def test_an_engine_that_breaks_is_tried_again_in_the_same_cloud(clouds: Told) -> None:
    clouds.trouble = EngineError("This machine is too busy.")
    for _ in range(3):
        with pytest.raises(EngineError):
            clouds.deploy(clouds.empty_system("eu-north-1"), {})
    assert len(clouds.started) == 1


def test_a_cloud_that_fails_ends(clouds: Told) -> None:
    clouds.trouble = CloudError("The local cloud failed.")
    with pytest.raises(CloudError):
        clouds.deploy(clouds.empty_system("eu-north-1"), {})
    assert clouds.started[0].closed


def test_no_system_has_the_folder_of_another(clouds: Told) -> None:
    first, second = clouds.empty_system("eu-north-1"), clouds.empty_system("eu-north-1")
    clouds.take_back(first)
    third = clouds.empty_system("eu-north-1")
    assert len({first.folder, second.folder, third.folder}) == 3
    assert len(clouds.started) == 2
