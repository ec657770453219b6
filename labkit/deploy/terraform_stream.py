"""What Terraform says while it works (`-json`), as events, changes and diagnostics.

What belongs here: Terraform's "Machine-Readable UI" and "JSON Output Format". Only fields are read, never the
text for people. What does not: what to advise when something failed (labkit.deploy.terraform_errors).
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event
from labkit.deploy.model import Action, Change, Finding

_ACTIONS: Mapping[str, Action] = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
}
#: Terraform's hook → how CloudFormation would end the name of its status
_STATES = {"apply_start": "IN_PROGRESS", "apply_complete": "COMPLETE", "apply_errored": "FAILED"}
_VERBS = {"create": "CREATE", "update": "UPDATE", "replace": "REPLACE", "delete": "DELETE", "read": "READ"}


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """What is not as Terraform writes it was said by something else in its place. Raises DeployError."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise DeployError(
            "What Terraform answered is not what Terraform writes.",
            hint="Look at the files for what makes it say something else, then run the step again.",
        ) from error


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning, with the place in the files where Terraform knows it."""

    severity: str
    summary: str
    detail: str
    address: str
    file: str
    line: int

    @property
    def text(self) -> str:
        """Summary and detail in one line."""
        return " ".join(f"{self.summary}. {self.detail}".split()).strip(" .") if self.detail else self.summary

    def finding(self) -> Finding:
        """The same for people who look for the place."""
        return Finding(self.text, self.file, self.line)


def diagnostic(data: Mapping[str, Any]) -> Diagnostic:
    """A diagnostic object of any of Terraform's commands."""
    place = data.get("range") or {}
    return Diagnostic(
        str(data.get("severity", "error")),
        str(data.get("summary", "")).strip(),
        str(data.get("detail", "")).strip(),
        str(data.get("address", "")),
        str(place.get("filename", "")),
        int(place.get("start", {}).get("line", 0)),
    )


@dataclass
class Stream:
    """Reads a run line by line, reports what happens, and keeps what the caller needs afterwards."""

    emit: Emit
    errors: list[Diagnostic] = field(default_factory=list)
    planned: list[Change] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    done: int = 0
    other: list[str] = field(default_factory=list)

    @_understood()
    def line(self, text: str) -> None:
        """Take one line of the stream; what is no JSON object is kept in `other`. Raises DeployError."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            self.other += [text] if text.strip() else []
            return
        match data.get("type"):
            case "diagnostic":
                self._diagnostic(diagnostic(data["diagnostic"]))
            case "planned_change":
                self._planned(data["change"])
            case "apply_start" | "apply_complete" | "apply_errored" as what:
                self._resource(what, data["hook"])
            case "apply_progress":
                self._still(data["hook"])
            case "outputs":
                self.outputs = _values(data["outputs"])

    @property
    def changed(self) -> bool:
        """Whether any resource was touched."""
        return self.done > 0

    def _diagnostic(self, found: Diagnostic) -> None:
        if found.severity == "error":
            self.errors.append(found)
        elif found.file:  # warnings without a place are about the installation, not about the files
            self.emit(Event("warning", str(found.finding())))

    def _planned(self, data: Mapping[str, Any]) -> None:
        action = _ACTIONS.get(data["action"])
        if action is not None:
            resource = data["resource"]
            self.planned.append(Change(resource["addr"], resource["resource_type"], action))

    def _resource(self, what: str, hook: Mapping[str, Any]) -> None:
        resource = hook["resource"]
        if hook.get("action") not in _ACTIONS or resource["addr"].startswith("data."):
            return
        self.done += what == "apply_complete"
        status = f"{_VERBS[hook['action']]}_{_STATES[what]}"
        data = {"id": resource["addr"], "type": resource["resource_type"], "status": status}
        data["seconds"] = hook.get("elapsed_seconds", 0)
        self.emit(Event("resource", f"{resource['addr']} {status}", data))

    def _still(self, hook: Mapping[str, Any]) -> None:
        """Every ten seconds of one resource; the provider itself waits, for AWS to become consistent."""
        name, seconds = hook["resource"]["addr"], hook.get("elapsed_seconds", 0)
        self.emit(
            Event("resource", f"{name} … {seconds} s", {"id": name, "status": "WAITING", "seconds": seconds})
        )


def _values(outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Outputs by name; those without a value yet are left out."""
    return {name: str(entry["value"]) for name, entry in outputs.items() if entry.get("value") is not None}


@_understood()
def read_object(text: str) -> Mapping[str, Any]:
    """The one JSON object that a quiet command wrote. Raises DeployError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


@_understood()
def outputs(text: str) -> dict[str, str]:
    """What `output -json` wrote. Raises DeployError."""
    return _values(json.loads(text or "{}"))


@_understood()
def outputs_of_state(path: Path) -> dict[str, str]:
    """The outputs in a state file. Raises DeployError."""
    return _values(json.loads(path.read_text(encoding="utf-8") or "{}").get("outputs", {}))


@_understood()
def validated(text: str) -> tuple[Diagnostic, ...]:
    """The errors that `validate -json` wrote. Raises DeployError."""
    return tuple(
        found for found in map(diagnostic, json.loads(text)["diagnostics"]) if found.severity == "error"
    )


@_understood()
def changes(plan: Mapping[str, Any]) -> tuple[Change, ...]:
    """What a plan (`show -json`) would do, with the arguments that differ or force a replacement. Raises DeployError."""
    return tuple(
        Change(entry["address"], entry["type"], action, _because(entry["change"], action))
        for entry in plan.get("resource_changes", [])
        if (action := _action(entry["change"]["actions"])) is not None
    )


def _action(actions: list[str]) -> Action | None:
    return "replace" if len(actions) == 2 else _ACTIONS.get(actions[0])


def _because(change: Mapping[str, Any], action: Action) -> tuple[str, ...]:
    if action == "replace":
        return _names(path[0] for path in change.get("replace_paths", []) if path)
    if action != "update":
        return ()
    before, after = change["before"] or {}, change["after"] or {}
    unknown = change.get("after_unknown") or {}
    return _names(name for name in after if after[name] != before.get(name) or unknown.get(name) is True)


def _names(names: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name in names}))
