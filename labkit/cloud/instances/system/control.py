"""What systemctl and its relatives do when a boot script calls them.

What belongs here: command lines, words and exit statuses of systemctl(1), systemd 252, and the verbs that change
something. What does not: what the others show (showing), the socket they come in on (init). Runs inside the instance: standard library only.
"""

import os
import re
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from labkit.cloud.instances.system.environment import BASE
from labkit.cloud.instances.system.journal import unit_name
from labkit.cloud.instances.system.requests import Answer, Request
from labkit.cloud.instances.system.runs import Run
from labkit.cloud.instances.system.services import Services
from labkit.cloud.instances.system.showing import Shown, warn_of_change
from labkit.cloud.instances.system.unitfiles import TARGETS, Masked, NoUnit, UnitFiles
from labkit.cloud.instances.system.units import Service, UnitError, signal_number


@dataclass(frozen=True)
class Surroundings:
    """What the commands need besides units: a unit's last journal lines, the power switch, systemd's own environment."""

    journal_tail: Callable[[str, int], Sequence[str]]
    power: Callable[[bool], None]
    environment: dict[str, str] = field(default_factory=dict)


_HAS_VALUE = (
    "-t",
    "--type",
    "-p",
    "--property",
    "-n",
    "--lines",
    "-s",
    "--signal",
    "-o",
    "--output",
    "--state",
)
#: verbs of systemctl(1) that this imitation does not have
_LACKING = (
    "add-requires", "add-wants", "bind", "cancel", "clean", "default", "edit", "emergency", "exit", "freeze", "get-property",
    "hibernate", "hybrid-sleep", "isolate", "kexec", "list-automounts", "list-jobs", "list-machines", "list-paths",
    "list-sockets", "list-timers", "log-level", "log-target", "mount-image", "reboot-to-firmware", "rescue", "revert",
    "service-log-level", "service-log-target", "service-watchdogs", "set-property", "show-status", "suspend",
    "suspend-then-hibernate", "switch-root", "thaw", "whoami",
)  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POWER = {"poweroff": False, "halt": False, "reboot": True}


class Systemctl:
    """Answers systemctl's command lines."""

    def __init__(self, files: UnitFiles, services: Services, around: Surroundings) -> None:
        self._files, self._services, self._around = files, services, around
        self._shown = Shown(files, services, around.journal_tail)

    def call(
        self,
        words: Sequence[str],
        finish: Callable[[Answer], None],
        caller: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Carry out `systemctl WORDS`; `finish` is called when it would return. `caller`: whoever calls has these variables."""
        verb, names, options = _split(words)
        request = Request(finish)
        try:
            self._verb(verb, names, options, caller, request)
        finally:
            request.release()

    def _verb(
        self,
        verb: str,
        names: list[str],
        options: dict[str, str],
        caller: Mapping[str, str],
        request: Request,
    ) -> None:
        with_units = {
            "start": self._start, "stop": self._stop, "restart": self._restart,
            "try-restart": self._try_restart, "condrestart": self._try_restart,
            "reload-or-restart": self._restart, "reload": self._reload, "status": self._shown.status,
            "is-active": self._shown.is_active, "is-failed": self._shown.is_failed, "is-enabled": self._shown.is_enabled,
            "enable": self._enable, "reenable": self._enable, "disable": self._disable,
            "mask": self._mask, "unmask": self._unmask, "cat": self._shown.cat, "show": self._shown.show, "list-dependencies": self._shown.dependencies,
            "reset-failed": self._reset, "kill": self._kill,
        }  # fmt: skip
        if verb in with_units:
            return self._each(with_units[verb], verb, names, options, request)
        if verb in ("set-environment", "unset-environment", "show-environment", "import-environment"):
            return self._environment(verb, names, caller, request)
        if verb == "link":
            return self._link(names, request)
        return self._alone(verb, options, request)

    def _environment(self, verb: str, names: list[str], caller: Mapping[str, str], request: Request) -> None:
        """The environment of systemd itself, which units that start from now on get: until the next boot."""
        held = self._around.environment
        if verb == "import-environment":
            missing = [name for name in names if name not in caller]
            if missing:
                return request.fail(1, f"Environment variable ${missing[0]} not set, ignoring.")
            held.update({name: caller[name] for name in names or caller})
            return None
        if verb == "show-environment":
            values = sorted({**BASE, **held}.items())
            request.answer.out += "".join(f"{name}={shlex.quote(value)}\n" for name, value in values)
            return None
        if not names:
            return request.fail(1, "Too few arguments.")
        for word in names:
            name, equals, value = word.partition("=")
            if not _VARIABLE.fullmatch(name) or (verb == "set-environment" and not equals):
                what = "set" if verb == "set-environment" else "unset"
                return request.fail(1, f"Failed to {what} environment: Invalid environment assignments")
        for word in names:
            name, equals, value = word.partition("=")
            if verb == "set-environment":
                held[name] = value
            elif not equals or held.get(name) == value:
                held.pop(name, None)
        return None

    def _link(self, names: list[str], request: Request) -> None:
        if not names:
            return request.fail(1, "Too few arguments.")
        for path in names:
            try:
                request.answer.err += self._files.link(path)
            except NoUnit as error:
                return request.fail(1, f"Failed to link unit: File {error}: No such file or directory")
        return None

    def _each(
        self,
        act: Callable[[str, dict[str, str], Request], None],
        verb: str,
        names: list[str],
        options: dict[str, str],
        request: Request,
    ) -> None:
        if not names and verb == "status":
            return self._alone("list-units", options, request)
        if not names and verb != "reset-failed":
            return request.fail(1, "Too few arguments.")
        for name in names:
            try:
                act(unit_name(name), options, request)
            except NoUnit as error:
                self._no_unit(verb, str(error), request)
            except Masked as error:
                request.fail(1, f"Failed to {verb} {error}: Unit {error} is masked.")
            except UnitError as error:
                request.fail(
                    1,
                    f"Failed to {verb} {unit_name(name)}: Unit {unit_name(name)} has a bad unit file setting.",
                )
                self._files.say(unit_name(name), str(error))
        return None

    def _no_unit(self, verb: str, name: str, request: Request) -> None:
        if verb == "status":
            request.fail(4, f"Unit {name} could not be found.")
        elif verb in ("enable", "disable", "reenable", "mask"):
            request.fail(1, f"Failed to {verb} unit: Unit file {name} does not exist.")
        elif verb == "is-enabled":
            request.fail(1, f"Failed to get unit file state for {name}: No such file or directory")
        elif verb == "cat":
            request.fail(1, f"No files found for {name}.")
        else:
            request.fail(5, f"Failed to {verb} {name}: Unit {name} not found.")

    def _alone(self, verb: str, options: dict[str, str], request: Request) -> None:
        if verb in ("daemon-reload", "daemon-reexec"):
            self._files.reload()
        elif verb in ("list-units", "list-unit-files"):
            request.answer.out += self._shown.listed(verb)
        elif verb == "is-system-running":
            failed = any(run.state == "failed" for run in self._services.runs.values())
            request.answer.out, request.answer.status = ("degraded\n", 1) if failed else ("running\n", 0)
        elif verb == "get-default":
            request.answer.out = "multi-user.target\n"
        elif verb in _POWER:
            self._around.power(_POWER[verb])
        elif verb in _LACKING:
            request.fail(1, f"local cloud: the imitation lacks systemctl {verb}; on AWS it is there.")
        elif verb not in ("set-default", "preset", "preset-all"):
            request.fail(1, f"Unknown command verb {verb}.")

    # -- changing -------------------------------------------------------------------------------------

    def _load(self, name: str) -> Service:
        """The definition in force: what was read last while the unit is up, the file otherwise."""
        run = self._services.runs.get(name)
        up = run is not None and run.state not in ("inactive", "failed")
        return self._files.load(name, cached=up)

    def _start(self, name: str, options: dict[str, str], request: Request) -> None:
        if name in TARGETS:
            return
        self._run_job(self._services.start, name, "start", options, request)

    def _restart(self, name: str, options: dict[str, str], request: Request) -> None:
        self._run_job(self._services.restart, name, "restart", options, request)

    def _run_job(
        self,
        job: Callable[[Service, Callable[[Run], None]], None],
        name: str,
        verb: str,
        options: dict[str, str],
        request: Request,
    ) -> None:
        service = self._load(name)
        warn_of_change(self._files, name, request)
        self._start_wanted(service)
        request.hold()

        def done(run: Run) -> None:
            told_at_once = run.service.type in ("simple", "idle") and run.result != "start-limit-hit"
            if run.result != "success" and not told_at_once:
                request.fail(1, _job_failed(run))
            request.release()

        if "--no-block" in options:
            job(service, lambda _: None)
            return request.release()
        return job(service, done)

    def _start_wanted(self, service: Service) -> None:
        """Units that Wants= and Requires= name are started too; those that are not there are not."""
        for name in service.wants:
            run = self._services.runs.get(name)
            if name.endswith(".service") and (run is None or run.state in ("inactive", "failed")):
                try:
                    self._services.start(self._files.load(name), lambda _: None)
                except (NoUnit, Masked, UnitError) as error:
                    self._files.say(service.name, f"{service.name}: {name}: {error}")

    def _stop(self, name: str, options: dict[str, str], request: Request) -> None:
        if name not in self._services.runs:
            try:
                self._files.path(name)
            except NoUnit:
                request.fail(5, f"Failed to stop {name}: Unit {name} not loaded.")
            return
        request.hold()
        self._services.stop(name, lambda _: request.release())

    def _kill(self, name: str, options: dict[str, str], request: Request) -> None:
        """Send a signal and leave it to Restart= what follows."""
        if name not in self._services.runs:
            return request.fail(1, f"Failed to kill unit {name}: Unit {name} not loaded.")
        number = signal_number(options.get("-s", options.get("--signal", "")), signal.SIGTERM)
        return self._services.kill(name, number)

    def _try_restart(self, name: str, options: dict[str, str], request: Request) -> None:
        run = self._services.runs.get(name)
        if run is not None and run.state == "active":
            self._restart(name, options, request)

    def _reload(self, name: str, options: dict[str, str], request: Request) -> None:
        run = self._services.runs.get(name)
        if run is None or run.state != "active":
            self._files.path(name)
            return request.fail(1, f"{name} is not active, cannot reload.")
        if not run.service.reload:
            return request.fail(
                1, f"Failed to reload {name}: Job type reload is not applicable for unit {name}."
            )
        return self._services.reload(name)

    def _enable(self, name: str, options: dict[str, str], request: Request) -> None:
        if "/" in name:  # a path: linked into the search path first
            request.answer.err += self._files.link(name)
            name = os.path.basename(name)
        request.answer.err += self._files.enable(name)
        if "--now" in options:
            self._start(name, options, request)

    def _disable(self, name: str, options: dict[str, str], request: Request) -> None:
        request.answer.err += self._files.disable(name)
        if "--now" in options:
            self._stop(name, options, request)

    def _mask(self, name: str, options: dict[str, str], request: Request) -> None:
        request.answer.err += self._files.mask(name)

    def _unmask(self, name: str, options: dict[str, str], request: Request) -> None:
        request.answer.err += self._files.unmask(name)

    def _reset(self, name: str, options: dict[str, str], request: Request) -> None:
        self._services.reset(name)


def _job_failed(run: Run) -> str:
    why = {
        "timeout": "a timeout was exceeded",
        "start-limit-hit": "start of the service was attempted too often",
        "signal": "a fatal signal was delivered to the control process",
        "core-dump": "a fatal signal was delivered causing the control process to dump core",
    }.get(run.result, "the control process exited with error code")
    return (
        f"Job for {run.name} failed because {why}.\n"
        f'See "systemctl status {run.name}" and "journalctl -xeu {run.name}" for details.'
    )


def _split(words: Sequence[str]) -> tuple[str, list[str], dict[str, str]]:
    """The verb, the units, and the options with their values."""
    names: list[str] = []
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.partition("=")
        if not word.startswith("-"):
            names.append(word)
        elif not equals and key in _HAS_VALUE and rest:
            options[key] = rest.pop(0)
        else:
            options[key] = value
    return (names[0], names[1:], options) if names else ("list-units", [], options)
