"""What systemctl shows: states, properties, unit files, lists.

What belongs here: the verbs of systemctl(1), systemd 252, that change nothing. What does not: those that do (control).
Runs inside the instance: standard library only.
"""

import time
from collections.abc import Callable, Sequence

from labkit.cloud.instances.system.requests import Request
from labkit.cloud.instances.system.runs import Run
from labkit.cloud.instances.system.services import Services
from labkit.cloud.instances.system.unitfiles import TARGETS, NoUnit, UnitFiles
from labkit.cloud.instances.system.units import Service


class Shown:
    """The units as systemctl shows them; each method takes a unit's name, the options and the call under way."""

    def __init__(
        self, files: UnitFiles, services: Services, journal_tail: Callable[[str, int], Sequence[str]]
    ) -> None:
        self._files, self._services, self._journal_tail = files, services, journal_tail

    def _state(self, name: str) -> str:
        run = self._services.runs.get(name)
        if run is not None:
            return run.state
        return "active" if name in TARGETS else "inactive"

    def is_active(self, name: str, options: dict[str, str], request: Request) -> None:
        """Whether it runs."""
        state = self._state(name)
        self._print_state(state, 0 if state == "active" else 3, options, request)

    def is_failed(self, name: str, options: dict[str, str], request: Request) -> None:
        """Whether it has failed."""
        state = self._state(name)
        self._print_state(state, 0 if state == "failed" else 1, options, request)

    def is_enabled(self, name: str, options: dict[str, str], request: Request) -> None:
        """Whether it is started at boot."""
        state = self._files.state(name)
        self._print_state(state, 0 if state in ("enabled", "static") else 1, options, request)

    def _print_state(self, state: str, status: int, options: dict[str, str], request: Request) -> None:
        request.answer.status = request.answer.status or status
        if "-q" not in options and "--quiet" not in options:
            request.answer.out += state + "\n"

    def cat(self, name: str, options: dict[str, str], request: Request) -> None:
        """Its unit file."""
        request.answer.out += self._files.text(name)

    def dependencies(self, name: str, options: dict[str, str], request: Request) -> None:
        """The units that it wants."""
        request.answer.out += (
            "\n".join([name, *(f"● ├─{each}" for each in self._files.load(name).wants)]) + "\n"
        )

    def show(self, name: str, options: dict[str, str], request: Request) -> None:
        """Its properties, or those asked for."""
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

    def status(self, name: str, options: dict[str, str], request: Request) -> None:
        """Its state, and its last lines in the journal."""
        run = self._services.runs.get(name)
        service = run.service if run is not None else self._files.load(name)
        state = self._state(name)
        request.answer.status = request.answer.status or (0 if state == "active" else 3)
        warn_of_change(self._files, name, request)
        request.answer.out += self._status_text(service, run)
        count = int(options.get("-n", options.get("--lines", "10")))
        tail = self._journal_tail(name, count) if run is not None else ()
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

    def listed(self, verb: str) -> str:
        """The table of `verb`: of units, or of unit files."""
        if verb == "list-unit-files":
            rows = [f"{name:<40} {self._files.state(name):<10} disabled" for name in self._files.names()]
            return "\n".join(["UNIT FILE STATE PRESET", *rows, f"\n{len(rows)} unit files listed."]) + "\n"
        runs = [r for r in self._services.runs.values() if r.state != "inactive"]
        rows = [f"  {r.name:<40} loaded {r.state} {r.sub} {r.service.description}" for r in runs]
        head = "  UNIT LOAD ACTIVE SUB DESCRIPTION"
        return "\n".join([head, *rows, f"\n{len(rows)} loaded units listed."]) + "\n"


def warn_of_change(files: UnitFiles, name: str, request: Request) -> None:
    """Say so where the unit's file is not as it was read."""
    if files.changed(name):
        request.answer.err += (
            f"Warning: The unit file, source configuration file or drop-ins of {name} changed on disk."
            " Run 'systemctl daemon-reload' to reload units.\n"
        )


def _active(run: Run | None) -> str:
    if run is None:
        return "inactive (dead)"
    since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(run.since))
    if run.state == "failed":
        return f"failed (Result: {run.result}) since {since}"
    return f"{run.state} ({run.sub}) since {since}"
