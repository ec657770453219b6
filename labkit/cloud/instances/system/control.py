"""What systemctl and its relatives do when a boot script calls them, and what they print.

What belongs here: command lines, words and exit statuses of systemctl(1), systemd 252. What does not:
the socket they come in on (init). Runs inside the instance: standard library only.
"""

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from labkit.cloud.instances.system.environment import BASE
from labkit.cloud.instances.system.journal import unit_name
from labkit.cloud.instances.system.services import Run, Services
from labkit.cloud.instances.system.unitfiles import TARGETS, Masked, NoUnit, UnitFiles
from labkit.cloud.instances.system.units import Service, UnitError, signal_number


@dataclass
class Answer:
    """What a command prints and its exit status."""

    status: int = 0
    out: str = ""
    err: str = ""


@dataclass
class Request:
    """One systemctl call under way; `finish` is called once, when all its units are done."""

    finish: Callable[[Answer], None]
    answer: Answer = field(default_factory=Answer)
    pending: int = 1

    def hold(self) -> None:
        """One more unit has yet to be done."""
        self.pending += 1

    def release(self) -> None:
        """One unit is done."""
        self.pending -= 1
        if not self.pending:
            self.finish(self.answer)

    def fail(self, status: int, text: str) -> None:
        """Note an error; the first status stays."""
        self.answer.status = self.answer.status or status
        self.answer.err += text + "\n"


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
            "reload-or-restart": self._restart, "reload": self._reload, "status": self._status,
            "is-active": self._is_active, "is-failed": self._is_failed, "is-enabled": self._is_enabled,
            "enable": self._enable, "reenable": self._enable, "disable": self._disable,
            "mask": self._mask, "unmask": self._unmask, "cat": self._cat, "show": self._show, "list-dependencies": self._dependencies,
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
            request.answer.out += self._list(verb)
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
        self._warn_of_change(name, request)
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

    def _warn_of_change(self, name: str, request: Request) -> None:
        if self._files.changed(name):
            request.answer.err += (
                f"Warning: The unit file, source configuration file or drop-ins of {name} changed on disk."
                " Run 'systemctl daemon-reload' to reload units.\n"
            )

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

    # -- asking ---------------------------------------------------------------------------------------

    def _state(self, name: str) -> str:
        run = self._services.runs.get(name)
        if run is not None:
            return run.state
        return "active" if name in TARGETS else "inactive"

    def _is_active(self, name: str, options: dict[str, str], request: Request) -> None:
        state = self._state(name)
        self._print_state(state, 0 if state == "active" else 3, options, request)

    def _is_failed(self, name: str, options: dict[str, str], request: Request) -> None:
        state = self._state(name)
        self._print_state(state, 0 if state == "failed" else 1, options, request)

    def _is_enabled(self, name: str, options: dict[str, str], request: Request) -> None:
        state = self._files.state(name)
        self._print_state(state, 0 if state in ("enabled", "static") else 1, options, request)

    def _print_state(self, state: str, status: int, options: dict[str, str], request: Request) -> None:
        request.answer.status = request.answer.status or status
        if "-q" not in options and "--quiet" not in options:
            request.answer.out += state + "\n"

    def _cat(self, name: str, options: dict[str, str], request: Request) -> None:
        request.answer.out += self._files.text(name)

    def _dependencies(self, name: str, options: dict[str, str], request: Request) -> None:
        request.answer.out += (
            "\n".join([name, *(f"● ├─{each}" for each in self._files.load(name).wants)]) + "\n"
        )

    def _show(self, name: str, options: dict[str, str], request: Request) -> None:
        wanted = options.get("-p", options.get("--property", ""))
        for key, value in self._properties(name).items():
            if not wanted or key in wanted.split(","):
                request.answer.out += value + "\n" if "--value" in options else f"{key}={value}\n"

    def _properties(self, name: str) -> dict[str, str]:
        run = self._services.runs.get(name)
        try:
            enabled, loaded = self._files.state(name), "loaded"
        except NoUnit:
            enabled, loaded = "", "not-found"
        return {
            "Id": name,
            "LoadState": loaded,
            "ActiveState": self._state(name),
            "SubState": run.sub if run else "dead",
            "Result": run.result if run else "success",
            "MainPID": str(run.main_pid if run else 0),
            "NRestarts": str(run.restarts if run else 0),
            "ExecMainStatus": str(run.ending.status if run and run.ending else 0),
            "UnitFileState": enabled,
        }

    def _status(self, name: str, options: dict[str, str], request: Request) -> None:
        run = self._services.runs.get(name)
        service = run.service if run is not None else self._files.load(name)
        state = self._state(name)
        request.answer.status = request.answer.status or (0 if state == "active" else 3)
        self._warn_of_change(name, request)
        request.answer.out += self._status_text(service, run)
        count = int(options.get("-n", options.get("--lines", "10")))
        tail = self._around.journal_tail(name, count) if run is not None else ()
        request.answer.out += "".join(["\n", *(line + "\n" for line in tail)]) if tail else ""

    def _status_text(self, service: Service, run: Run | None) -> str:
        sign = {"active": "●", "failed": "×"}.get(run.state, "○") if run else "○"
        lines = [
            f"{sign} {service.name} - {service.description}",
            f"     Loaded: loaded ({service.path}; {self._files.state(service.name)}; preset: disabled)",
            f"     Active: {_active(run)}",
        ]
        if run is not None and run.ending is not None and run.state != "active":
            lines.append(f"    Process: ExecStart ({run.ending.describe()})")
        if run is not None and run.main_pid:
            lines.append(f"   Main PID: {run.main_pid} ({service.start[-1].words[0].rpartition('/')[2]})")
        return "\n".join(lines) + "\n"

    def _list(self, verb: str) -> str:
        if verb == "list-unit-files":
            rows = [f"{name:<40} {self._files.state(name):<10} disabled" for name in self._files.names()]
            return "\n".join(["UNIT FILE STATE PRESET", *rows, f"\n{len(rows)} unit files listed."]) + "\n"
        runs = [r for r in self._services.runs.values() if r.state != "inactive"]
        rows = [f"  {r.name:<40} loaded {r.state} {r.sub} {r.service.description}" for r in runs]
        head = "  UNIT LOAD ACTIVE SUB DESCRIPTION"
        return "\n".join([head, *rows, f"\n{len(rows)} loaded units listed."]) + "\n"


def _active(run: Run | None) -> str:
    if run is None:
        return "inactive (dead)"
    since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(run.since))
    if run.state == "failed":
        return f"failed (Result: {run.result}) since {since}"
    return f"{run.state} ({run.sub}) since {since}"


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
