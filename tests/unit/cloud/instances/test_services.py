"""The life of units, without processes."""

from typing import Any

import pytest

from labkit.cloud.instances.system.outcome import Ending
from labkit.cloud.instances.system.runs import Run, SpawnError
from labkit.cloud.instances.system.services import Services
from labkit.cloud.instances.system.units import Command, Service


def a_service(**changes: Any) -> Service:
    return Service(
        **{"name": "a.service", "start": (Command(("/bin/a",)),), "restart_seconds": 3.0, **changes}
    )


class Watched:
    """Services on a fake machine, and the jobs that have ended."""

    def __init__(self, machine: Any) -> None:
        self.machine, self.services = machine, Services(machine)
        self.done: list[str] = []

    def start(self, service: Service) -> Run:
        self.services.start(service, lambda run: self.done.append(run.state))
        return self.services.runs[service.name]

    def stop(self) -> None:
        self.services.stop("a.service", lambda run: self.done.append(run.state))

    def end(self, status: int = 0, number: int = 0) -> None:
        """The newest process ends."""
        pid = max(self.machine.alive)
        del self.machine.alive[pid]
        self.services.ended(pid, Ending(status, number))


@pytest.fixture
def watched(machine: Any) -> Watched:
    return Watched(machine)


def test_a_simple_unit_is_active_at_once(watched: Watched) -> None:
    """systemd.service(5), Type=simple."""
    run = watched.start(a_service())
    assert (run.state, run.sub, watched.done) == ("active", "running", ["active"])


def test_the_steps_before_the_main_process_run_one_by_one(watched: Watched) -> None:
    """systemd.service(5), ExecStartPre=: run serially; a failure fails the unit."""
    pre = (Command(("/bin/one",)), Command(("/bin/two",)))
    run = watched.start(a_service(start_pre=pre))
    assert watched.machine.commands == [("/bin/one",)]
    watched.end()
    watched.end()
    assert watched.machine.commands == [("/bin/one",), ("/bin/two",), ("/bin/a",)]
    assert run.state == "active"


def test_a_failing_step_before_fails_the_unit_unless_it_says_otherwise(watched: Watched) -> None:
    run = watched.start(a_service(start_pre=(Command(("/bin/one",)),)))
    watched.end(status=1)
    assert (run.state, watched.done) == ("failed", ["failed"])
    run = watched.start(a_service(start_pre=(Command(("/bin/one",), ignore_failure=True),)))
    watched.end(status=1)
    assert run.state == "active"


def test_a_oneshot_unit_is_done_when_its_process_has_ended(watched: Watched) -> None:
    """systemd.service(5), Type=oneshot: start waits; RemainAfterExit= keeps it active."""
    run = watched.start(a_service(type="oneshot"))
    assert (run.state, watched.done) == ("activating", [])
    watched.end()
    assert (run.state, watched.done) == ("inactive", ["inactive"])
    run = watched.start(a_service(type="oneshot", remain_after_exit=True))
    watched.end()
    assert (run.state, run.sub) == ("active", "exited")


def test_a_forking_unit_is_active_when_the_first_process_has_ended(watched: Watched) -> None:
    """systemd.service(5), Type=forking."""
    run = watched.start(a_service(type="forking", pid_file="/run/a.pid"))
    assert run.state == "activating"
    watched.machine.alive[500] = run.invocation
    watched.services.ended(101 if 101 in watched.machine.alive else 102, Ending(0))
    assert (run.state, run.main_pid) == ("active", 500)


def test_restart_waits_as_long_as_restartsec_says(watched: Watched) -> None:
    run = watched.start(a_service(restart="on-failure"))
    watched.end(status=1)
    assert (run.state, run.sub) == ("activating", "auto-restart")
    assert watched.machine.alarms[-1].delay == 3.0
    watched.machine.fire()
    assert (run.state, run.restarts) == ("active", 1)


def test_a_clean_end_is_no_failure(watched: Watched) -> None:
    run = watched.start(a_service(restart="on-failure"))
    watched.end()
    assert (run.state, run.result) == ("inactive", "success")


def test_too_many_starts_are_refused(watched: Watched) -> None:
    """systemd.unit(5), StartLimitBurst=."""
    run = watched.start(a_service(restart="always", restart_seconds=0.0))
    for _ in range(5):
        watched.end(status=1)
        watched.machine.fire()
    assert (run.state, run.result) == ("failed", "start-limit-hit")


def test_a_missing_program_fails_after_the_start_of_a_simple_unit(watched: Watched) -> None:
    """systemd.service(5), Type=simple: start succeeds even if the binary can't be invoked; exec waits."""
    watched.machine.refuse = SpawnError(203, "Failed at step EXEC")
    run = watched.start(a_service())
    assert (run.state, run.ending, watched.done) == ("failed", Ending(203), ["active"])
    run = watched.start(a_service(name="b.service", type="exec"))
    assert watched.done == ["active", "failed"]


def test_stop_asks_first_and_kills_later(watched: Watched) -> None:
    """systemd.service(5), TimeoutStopSec=."""
    run = watched.start(a_service())
    watched.stop()
    assert (run.state, watched.machine.signals, watched.done) == ("deactivating", [15], ["active"])
    watched.machine.fire()
    assert watched.machine.signals == [15, 9]
    watched.end(number=9)
    assert (run.state, watched.done) == ("failed", ["active", "failed"])


def test_a_stopped_unit_is_not_restarted(watched: Watched) -> None:
    """systemd.service(5), Restart=: a stop by systemctl is no reason."""
    run = watched.start(a_service(restart="always"))
    watched.stop()
    watched.end(number=15)
    assert run.state == "inactive"


def test_stop_during_the_wait_for_a_restart_ends_it(watched: Watched) -> None:
    run = watched.start(a_service(restart="always"))
    watched.end(status=1)
    watched.stop()
    assert run.state in ("inactive", "failed")
    assert all(alarm.cancelled for alarm in watched.machine.alarms)


def test_restart_stops_and_starts_with_the_new_definition(watched: Watched) -> None:
    watched.start(a_service())
    changed = a_service(start=(Command(("/bin/new",)),))
    watched.services.restart(changed, lambda run: watched.done.append("again " + run.state))
    watched.end(number=15)
    assert watched.machine.commands[-1] == ("/bin/new",)
    assert watched.done[-1] == "again active"


def test_a_start_that_takes_too_long_fails(watched: Watched) -> None:
    """systemd.service(5), TimeoutStartSec=."""
    run = watched.start(a_service(start_pre=(Command(("/bin/slow",)),)))
    watched.machine.fire()
    watched.end(number=15)
    assert (run.state, run.result) == ("failed", "timeout")


def test_a_notify_unit_is_active_once_its_main_process_says_so(watched: Watched) -> None:
    """systemd.service(5), "Type=notify"; sd_notify(3)."""
    run = watched.start(a_service(type="notify", notify_access="main"))
    assert (run.state, run.sub) == ("activating", "start")
    watched.services.notified(run.main_pid + 1, "READY=1")  # NotifyAccess=main: nobody else may say it
    watched.services.notified(run.main_pid, "STATUS=nearly\n")
    assert run.state == "activating"
    watched.services.notified(run.main_pid, "STATUS=done\nREADY=1\n")
    assert (run.state, run.sub) == ("active", "running")


def test_a_notify_unit_that_says_nothing_fails_when_the_time_is_up(watched: Watched) -> None:
    run = watched.start(a_service(type="notify", notify_access="main"))
    assert watched.machine.alarms[-1].delay == 90.0
    watched.machine.fire()
    watched.end(0)
    assert (run.state, run.result) == ("failed", "timeout")


def test_a_notify_unit_that_ends_before_it_is_ready_has_broken_the_protocol(watched: Watched) -> None:
    run = watched.start(a_service(type="notify", notify_access="main"))
    watched.end(0)
    assert (run.state, run.result) == ("failed", "protocol")


def test_any_process_of_a_unit_may_say_it_when_the_unit_allows_all(watched: Watched) -> None:
    run = watched.start(a_service(type="notify", notify_access="all"))
    watched.machine.alive[7] = run.invocation
    watched.services.notified(7, "READY=1")
    assert run.state == "active"


def test_a_unit_that_holds_more_than_its_limit_is_killed(watched: Watched) -> None:
    """systemd.resource-control(5), MemoryMax=; systemd.service(5), Restart=: "oom-kill" is a failure."""
    run = watched.start(a_service(memory_max=16 << 20, restart="always"))
    watched.machine.held = 16 << 20
    watched.machine.alarms[-1].call()
    assert watched.machine.signals == []
    watched.machine.held += 1
    watched.machine.alarms[-1].call()
    assert watched.machine.signals == [9]
    watched.end(number=9)
    assert (run.result, run.sub) == ("oom-kill", "auto-restart")
    assert "a.service: A process of this unit has been killed by the OOM killer." in watched.machine.notes


def test_a_run_that_has_ended_is_not_watched_any_more(watched: Watched) -> None:
    watched.start(a_service(memory_max=1))
    look = watched.machine.alarms[-1]
    watched.end()
    watched.machine.held = 2
    look.call()
    assert watched.machine.signals == []
