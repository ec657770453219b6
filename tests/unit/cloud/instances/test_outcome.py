"""How a unit's process ended, and what follows."""

import signal

import pytest

from labkit.cloud.instances.system.outcome import Ending, result_of, should_restart
from labkit.cloud.instances.system.units import Service

SIMPLE = Service("a.service")


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending(0), "success"),
        (Ending(1), "exit-code"),
        (Ending(0, signal.SIGTERM), "success"),
        (Ending(0, signal.SIGKILL), "signal"),
        (Ending(0, signal.SIGSEGV), "core-dump"),
    ],
)
def test_results(ending: Ending, expected: str) -> None:
    """systemd.service(5), SuccessExitStatus=: 0 and SIGHUP, SIGINT, SIGTERM, SIGPIPE are clean."""
    assert result_of(ending, SIMPLE) == expected


def test_statuses_can_be_declared_clean() -> None:
    assert result_of(Ending(143), Service("a.service", success_statuses=frozenset({143}))) == "success"


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        ("no", set()),
        ("always", {"success", "exit-code", "signal", "timeout"}),
        ("on-success", {"success"}),
        ("on-failure", {"exit-code", "signal", "timeout"}),
        ("on-abnormal", {"signal", "timeout"}),
        ("on-abort", {"signal"}),
    ],
)
def test_restart_policies(policy: str, after: set[str]) -> None:
    """systemd.service(5), table "Exit causes and the effect of the Restart= settings"."""
    results = ("success", "exit-code", "signal", "timeout")
    assert {result for result in results if should_restart(policy, result)} == after


def test_words() -> None:
    assert Ending(203).describe() == "code=exited, status=203/EXEC"
    assert Ending(0, signal.SIGKILL).describe() == "code=killed, status=9/KILL"
    assert Ending.from_wait(256) == Ending(1)
    assert Ending.from_wait(9) == Ending(0, 9)
