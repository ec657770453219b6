import threading

import pytest

from labkit.cloud.functions.environment import Environment, State


@pytest.fixture
def environment(bench) -> Environment:  # type: ignore[no-untyped-def]
    return Environment("fn-1", bench.function("pass"), "stream")


def test_a_life(environment: Environment) -> None:
    assert environment.state is State.INIT
    assert environment.take()
    assert environment.give_back()
    assert environment.state is State.READY
    assert environment.take()
    assert environment.state is State.BUSY
    assert environment.end()
    assert environment.state is State.ENDED


def test_only_one_gets_it(environment: Environment) -> None:
    environment.take()
    environment.give_back()
    won: list[bool] = []
    barrier = threading.Barrier(8)

    def compete() -> None:
        barrier.wait()
        won.append(environment.take())

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1


def test_a_condemned_one_is_not_given_back(environment: Environment) -> None:
    environment.take()
    environment.condemn()
    assert not environment.give_back()
    assert environment.state is State.BUSY


def test_what_has_ended_stays_so(environment: Environment) -> None:
    assert environment.end()
    assert not environment.end()
    assert not environment.take()
    assert not environment.give_back()
