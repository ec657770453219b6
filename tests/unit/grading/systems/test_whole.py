"""The life of a submission's own deployment: its stages, and what leads from one to the next."""

from types import SimpleNamespace
from typing import Any

import pytest

from labkit.grading.systems.whole import Stage, Whole


class Clouds:
    """Clouds that only note what is deployed in which region, and what is ended."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def empty_system(self, region: str) -> Any:
        return SimpleNamespace(region=region)

    def deploy(self, system: Any, files: object) -> None:
        self.done.append(f"deployed in {system.region}")

    def found_system(self) -> Any:
        return SimpleNamespace(region="home")

    def end(self, system: Any) -> None:
        self.done.append(f"ended in {system.region}")


def whole(*, deployed: str = "", elsewhere: str = "away") -> tuple[Whole, Clouds]:
    """One that is not deployed yet, and its clouds."""
    task = SimpleNamespace(region="home", abroad=elsewhere, deployed=deployed)
    sources: Any = SimpleNamespace(task=task, files={})
    clouds: Any = Clouds()
    return Whole(sources, clouds), clouds


def test_it_is_deployed_once_in_another_region_and_comes_home_when_told() -> None:
    life, clouds = whole()
    assert life.stage is Stage.NONE
    assert life.system() is life.system()
    assert (life.stage, life.may_come_home) == (Stage.OTHER_REGION, True)
    life.come_home()
    assert (life.stage, life.may_come_home) == (Stage.NONE, False)
    assert (life.system().region, life.stage) == ("home", Stage.HOME)
    assert clouds.done == ["deployed in away", "ended in away", "deployed in home"]


def test_coming_home_deploys_nothing_where_nothing_stands() -> None:
    life, clouds = whole()
    life.come_home()
    assert (life.stage, clouds.done) == (Stage.NONE, [])


def test_a_system_that_is_forgotten_is_followed_by_a_new_one_in_the_same_region() -> None:
    life, clouds = whole()
    life.forget(first := life.system())
    assert life.stage is Stage.NONE
    assert life.system() is not first
    assert clouds.done == ["deployed in away", "deployed in away"]


def test_what_is_handed_over_to_be_deleted_is_never_judged_again() -> None:
    life, _ = whole()
    first = life.system()
    assert life.hand_over(first)
    assert life.stage is Stage.DISPOSABLE
    assert life.system() is not first
    assert not life.hand_over(first)


@pytest.mark.parametrize("other", [True, False])
def test_what_stands_in_the_students_own_cloud_is_never_handed_over(other: bool) -> None:
    life, _ = whole(deployed="cloud")
    found = life.system()
    assert (life.stage, life.may_come_home) == (Stage.FOUND, False)
    assert not life.hand_over(SimpleNamespace(region="home") if other else found)  # type: ignore[arg-type]
    assert life.system() is found
