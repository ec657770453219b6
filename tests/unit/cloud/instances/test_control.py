"""systemctl's command lines, words and exit statuses."""

from pathlib import Path
from typing import Any

import pytest

from labkit.cloud.instances.system.control import Surroundings, Systemctl
from labkit.cloud.instances.system.outcome import Ending
from labkit.cloud.instances.system.requests import Answer
from labkit.cloud.instances.system.services import Services
from labkit.cloud.instances.system.unitfiles import UnitFiles


class Shell:
    """systemctl on a disk of its own and a machine without processes."""

    def __init__(self, machine: Any, root: Path) -> None:
        self.machine, self.etc = machine, root / "etc/systemd/system"
        self.etc.mkdir(parents=True)
        (root / "dev").mkdir()
        (root / "dev/null").write_text("")
        self.services = Services(machine)
        self.power: list[bool] = []
        around = Surroundings(lambda unit, lines: (f"the last {lines} lines of {unit}",), self.power.append)
        files = UnitFiles(machine.note, root=str(root))
        self._systemctl = Systemctl(files, self.services, around)
        self.answers: list[Answer] = []

    def unit(self, lines: str = "", name: str = "a") -> None:
        text = f"[Unit]\nDescription=A\n[Service]\nExecStart=/bin/a\n{lines}\n[Install]\nWantedBy=multi-user.target\n"
        (self.etc / f"{name}.service").write_text(text)

    def call(self, line: str) -> Answer:
        """The answer; the test fails where the command still waits."""
        before = len(self.answers)
        self._systemctl.call(line.split(), self.answers.append)
        assert len(self.answers) == before + 1
        return self.answers[-1]

    def end(self, status: int) -> None:
        pid = max(self.machine.alive)
        del self.machine.alive[pid]
        self.services.ended(pid, Ending(status))


@pytest.fixture
def shell(machine: Any, tmp_path: Path) -> Shell:
    return Shell(machine, tmp_path)


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("start none", 5, "Failed to start none.service: Unit none.service not found."),
        ("stop none", 5, "Failed to stop none.service: Unit none.service not loaded."),
        ("enable none", 1, "Failed to enable unit: Unit file none.service does not exist."),
        ("status none", 4, "Unit none.service could not be found."),
        ("is-enabled none", 1, "Failed to get unit file state for none.service: No such file or directory"),
        ("start", 1, "Too few arguments."),
        ("frobnicate a", 1, "Unknown command verb frobnicate."),
    ],
)
def test_what_is_not_there(shell: Shell, line: str, status: int, words: str) -> None:
    """systemctl(1), "Exit Status"."""
    answer = shell.call(line)
    assert (answer.status, answer.err) == (status, words + "\n")


def test_start_and_ask(shell: Shell) -> None:
    shell.unit()
    assert shell.call("is-active a") == Answer(3, "inactive\n")
    assert shell.call("start a") == Answer()
    assert shell.call("is-active a.service") == Answer(0, "active\n")
    assert shell.call("is-active --quiet a") == Answer(0)
    assert shell.call("is-failed a") == Answer(1, "active\n")
    status = shell.call("status a --no-pager")
    assert status.status == 0
    assert "● a.service - A\n     Loaded: loaded (/etc/systemd/system/a.service; disabled;" in status.out
    assert "Active: active (running) since" in status.out
    assert "the last 10 lines of a.service" in status.out
    assert shell.call("show a -p MainPID,ActiveState").out.startswith("ActiveState=active\nMainPID=")


def test_enable_now_does_both(shell: Shell) -> None:
    shell.unit()
    answer = shell.call("enable --now a")
    assert "Created symlink" in answer.err
    assert shell.call("is-enabled a") == Answer(0, "enabled\n")
    assert shell.call("is-active a").status == 0


def test_start_waits_for_a_oneshot_unit_and_tells_its_failure(shell: Shell) -> None:
    shell.unit("Type=oneshot")
    shell._systemctl.call(["start", "a"], shell.answers.append)
    assert shell.answers == []
    shell.end(1)
    assert shell.answers[0].status == 1
    assert shell.answers[0].err.startswith(
        'Job for a.service failed because the control process exited with error code.\nSee "systemctl status a.service"'
    )


def test_start_of_several_waits_for_all(shell: Shell) -> None:
    shell.unit("Type=oneshot")
    shell.unit("Type=oneshot", name="b")
    shell._systemctl.call(["start", "a", "b"], shell.answers.append)
    shell.end(0)
    assert shell.answers == []
    shell.end(0)
    assert shell.answers == [Answer()]


def test_a_changed_file_is_warned_about_until_daemon_reload(shell: Shell) -> None:
    shell.unit()
    shell.call("start a")
    shell.unit("Environment=A=1")
    warning = "Warning: The unit file, source configuration file or drop-ins of a.service changed on disk."
    assert shell.call("status a").err.startswith(warning)
    shell.call("daemon-reload")
    assert shell.call("status a").err == ""


def test_a_broken_unit_is_refused_and_explained_in_the_journal(shell: Shell) -> None:
    (shell.etc / "a.service").write_text("[Service]\nRestart=always\n")
    answer = shell.call("start a")
    assert (answer.status, answer.err) == (
        1,
        "Failed to start a.service: Unit a.service has a bad unit file setting.\n",
    )
    assert any("Refusing" in note for note in shell.machine.notes)


def test_wanted_units_start_too(shell: Shell) -> None:
    """systemd.unit(5), Wants=."""
    shell.unit(name="b")
    (shell.etc / "a.service").write_text(
        "[Unit]\nWants=b.service none.service\n[Service]\nExecStart=/bin/a\n"
    )
    assert shell.call("start a").status == 0
    assert shell.call("is-active b").status == 0


def test_targets_are_reached(shell: Shell) -> None:
    assert shell.call("is-active network-online.target") == Answer(0, "active\n")
    assert shell.call("is-system-running") == Answer(0, "running\n")


def test_power(shell: Shell) -> None:
    shell.call("reboot")
    shell.call("poweroff")
    assert shell.power == [True, False]


def test_lists(shell: Shell) -> None:
    shell.unit()
    shell.call("start a")
    assert "a.service" in shell.call("list-units --type=service").out
    assert "a.service" in shell.call("list-unit-files").out
    assert shell.call("cat a").out.startswith("# /etc/systemd/system/a.service\n[Unit]\n")
