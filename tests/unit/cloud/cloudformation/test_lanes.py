"""Resources side by side: order, places, failures."""

import threading
from collections.abc import Callable

import pytest

from labkit.aws.templates.errors import ResourceFailed, Stopped
from labkit.cloud.cloudformation.lanes import WIDTH, Cancelled, Lanes

SECONDS = 10


def failing(*names: str) -> Callable[[str], None]:
    def act(name: str) -> None:
        if name in names:
            raise ResourceFailed(name)

    return act


def test_each_comes_after_what_it_needs() -> None:
    done: list[str] = []
    needs = {"server": ["subnet", "group"], "subnet": ["vpc"], "group": ["vpc"], "vpc": ["elsewhere"]}
    Lanes().side_by_side(needs, done.append)
    assert (done[0], done[-1], sorted(done)) == ("vpc", "server", sorted(needs))


def test_what_does_not_need_one_another_is_under_way_together() -> None:
    meeting = threading.Barrier(WIDTH, timeout=SECONDS)
    Lanes().side_by_side({str(number): [] for number in range(WIDTH)}, lambda name: meeting.wait() and None)


def test_no_more_than_there_are_places_unless_they_only_wait() -> None:
    lanes, count, most, lock = Lanes(), 0, 0, threading.Lock()
    meeting = threading.Barrier(3 * WIDTH, timeout=SECONDS)

    def act(_: str) -> None:
        nonlocal count, most
        with lanes.aside():
            meeting.wait()  # all of them, though most have no place
        with lock:
            count += 1
            most = max(most, count)
        with lock:
            count -= 1

    lanes.side_by_side({str(number): [] for number in range(3 * WIDTH)}, act)
    assert 1 <= most <= WIDTH


def test_after_a_failure_nothing_is_begun_and_what_waits_is_cancelled() -> None:
    lanes, waits, told = Lanes(), threading.Event(), []

    def act(name: str) -> None:
        told.append(name)
        if name == "bad":
            assert waits.wait(SECONDS)
            raise ResourceFailed("bad")
        waits.set()
        for _ in range(1000):
            with lanes.aside():
                threading.Event().wait(0.01)
            lanes.checkpoint()

    with pytest.raises(ResourceFailed) as failure:
        lanes.side_by_side({"slow": [], "bad": [], "after": ["bad"]}, act)
    assert str(failure.value) == "slow, bad"
    assert sorted(told) == ["bad", "slow"]


def test_where_it_goes_on_only_what_needs_the_failed_one_is_left_out() -> None:
    lanes, done = Lanes(), list[str]()

    def act(name: str) -> None:
        failing("bad")(name)
        lanes.checkpoint()
        done.append(name)

    with pytest.raises(ResourceFailed, match=r"^bad$"):
        lanes.side_by_side({"bad": [], "after": ["bad"], "one": [], "two": ["one"]}, act, go_on=True)
    assert done == ["one", "two"]


def test_the_end_of_the_operation_counts_more_than_a_failure() -> None:
    def act(name: str) -> None:
        if name == "first":
            raise ResourceFailed("first")
        raise Stopped

    meeting = threading.Barrier(2, timeout=SECONDS)
    with pytest.raises(Stopped):
        Lanes().side_by_side({"first": [], "second": []}, lambda name: (meeting.wait(), act(name))[1])


def test_a_walk_after_a_failed_one_is_whole() -> None:
    lanes, done = Lanes(), list[str]()
    with pytest.raises(ResourceFailed):
        lanes.side_by_side({"one": []}, failing("one"))
    lanes.side_by_side({"one": [], "two": ["one"]}, done.append)
    assert done == ["one", "two"]
    lanes.checkpoint()  # outside of every walk nothing is cancelled


def test_what_is_refused_waits_for_others_only_while_they_work() -> None:
    lanes, told = Lanes(), list[bool]()
    ready, seen = threading.Event(), threading.Event()

    def act(name: str) -> None:
        if name == "other":
            ready.set()
            assert seen.wait(SECONDS)
            return
        assert ready.wait(SECONDS)
        with lanes.refused():
            told.append(lanes.others_work())
            seen.set()
            while lanes.others_work():
                with lanes.aside():
                    threading.Event().wait(0.01)

    lanes.side_by_side({"refused": [], "other": []}, act)
    assert told == [True]
    assert not lanes.others_work()


def test_a_cancelled_resource_is_a_failed_one() -> None:
    assert issubclass(Cancelled, ResourceFailed)
