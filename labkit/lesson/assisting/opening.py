"""Opening what a student has sent, pack, folder or help zip, beside one's own work, which stays as it is.

What belongs here: the folder of its own, what its records say, trying it out there. What does not: the screen (screen).

The files are somebody else's: what a grading refuses to run is not opened, and Terraform runs in a grading's sandbox.
"""

import contextlib
import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import LabError, UsageError
from labkit.base.events import Emit
from labkit.base.text import printable
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import Manifest
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy.terraform_command import Setup
from labkit.grading.intake import identity, intake, refusal
from labkit.grading.systems.terraform_sandbox import TerraformSandbox
from labkit.lesson.context import Context
from labkit.lesson.handing_in import help_bundle
from labkit.lesson.model import CheckResult, Options, Places
from labkit.lesson.path import logs

_FOLDER = "ta"
_RECORDS = ("record/workspace.json", ".lab/workspace.json")
_TROUBLE = ("record/trouble.json", ".lab/trouble.json")
_LONGEST = 300


@dataclass(frozen=True)
class Sent:
    """What a student has sent, as its own records say it; nobody has to believe them.

    `stuck`: step, check, reason and tries of what stopped them, {} for nothing. `newer`: files saved after the last
    deployment; None where nothing was deployed. `errors`, `doctor`: of a help zip.
    """

    student: str
    engine: str
    sha256: str
    kit: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)
    stuck: Mapping[str, str] = field(default_factory=dict)
    hints: int = 0
    newer: tuple[str, ...] | None = None
    errors: tuple[str, ...] = ()
    doctor: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """It, in its own place. `again`: it was open already, and is as it was left."""

    places: Places
    sent: Sent
    context: Context
    again: bool = False

    @property
    def workspace(self) -> Workspace:
        """The student's files there."""
        return self.context.workspace


@dataclass(frozen=True)
class Tried:
    """What came of deploying it, asking for its health, sending a picture: the check that stopped it, and the last words."""

    hops: tuple[Mapping[str, Any], ...] = ()
    stopped: CheckResult | None = None
    server: str = ""
    function: str = ""


class _Assisting(Context):
    """A context whose Terraform reads somebody else's files: in a sandbox."""

    @functools.cached_property
    def sandbox(self) -> TerraformSandbox:
        """Begins when it is first used; whoever tries something out closes it."""
        return TerraformSandbox(Setup(self.places.state / "terraform"))

    @property
    def terraform(self) -> Setup:
        """As the grading's."""
        return replace(self.sandbox.setup, programs=self.sandbox)


def open_sent(
    places: Places, lab: Manifest, source: Path, emit: Emit, *, student: str | None = None, anew: bool = False
) -> Opened:
    """Put it into a folder of its own below .lab/ta; the same again is as it was left, unless `anew`.

    Raises UsageError where nothing says whose it is, or where it holds what is refused; IntakeError as intake does.
    """
    whose = identity.settle(source, student, None, lab)
    with tempfile.TemporaryDirectory(prefix="lab-ta-") as folder:
        taken = intake.take_in(source, Path(folder) / "taken")
        files = {name: (taken.folder / name).read_bytes() for name in taken.files}
        _refuse_harm(source, files)
        sent = _sent(source, whose.student, whose.engine, taken.sha256, files)
        place = places.state / _FOLDER / f"{whose.student}-{taken.sha256[:8]}"
        own = Places(places.root, place)
        options = Options(images=tuple(str(path) for path in lab.images[:1]))
        context = _Assisting(own, lab, options, emit, LocalCloud(own.state / "cloud"))
        if anew:
            close(place)
        again = place.exists()
        if not again:
            _put(own, lab, sent, files)
    return Opened(own, sent, context, again)


def opened(places: Places) -> list[Path]:
    """The places that are open, in the order of their names."""
    return sorted(path for path in (places.state / _FOLDER).glob("*") if path.is_dir())


def find(places: Places, name: str) -> Path:
    """The open place whose name begins so. Raises UsageError for none, or several."""
    found = [path for path in opened(places) if path.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(path.name for path in opened(places)) or "nothing"
    raise UsageError(
        f"{'Several are' if found else 'Nothing is'} open under {printable(name)}.", hint=f"Open is: {known}"
    )


def close(place: Path) -> None:
    """Stop its cloud and remove the folder."""
    LocalCloud(place / ".lab" / "cloud").stop()
    shutil.rmtree(place, ignore_errors=True)


def _refuse_harm(source: Path, files: Mapping[str, bytes]) -> None:
    found = refusal.harmful({name: data.decode("utf-8", "replace") for name, data in files.items()})
    if found:
        raise UsageError(
            f"{source.name} holds what this lab does not run: {found[0]}. It was not opened, and nothing of it ran.",
            hint=f"Look at it only:  unzip -p {source.name} {printable(found[0].file)}",
        )


def _put(own: Places, lab: Manifest, sent: Sent, files: Mapping[str, bytes]) -> None:
    """The files as they were sent, with the record that they make: what was done elsewhere does not stand here."""
    workspace = Workspaces(own.base, lab).generate(sent.student).workspace
    for name in workspace.names:
        (workspace.path / name).unlink(missing_ok=True)
    for name, data in files.items():
        if not name.startswith(("record/", f"{help_bundle.FOLDER}/")) and name != "manifest.json":
            state.write_bytes(workspace.path / name, data)
    workspace.save_record(engine=sent.engine)


# ---- What it says of itself ---------------------------------------------------------------------------


def _sent(source: Path, student: str, engine: str, digest: str, files: Mapping[str, bytes]) -> Sent:
    record, trouble = _first(source, _RECORDS), _first(source, _TROUBLE)
    kit = _object(intake.said(source, "manifest.json")).get("kit") or record.get("kit", "")
    hints, stuck = trouble.get("given"), _mapping(trouble.get("stuck"))
    return Sent(
        student, engine, digest, _text(kit),
        {_text(number): _text(_mapping(done).get("at")) for number, done in _mapping(record.get("steps")).items()},
        {name: _text(stuck[name]) for name in ("step", "check", "reason", "tries") if name in stuck},
        hints if isinstance(hints, int) and 0 <= hints < 1000 else 0,
        _newer(_mapping(record.get("deployed")), files),
        _told(source, help_bundle.ERRORS), tuple(line for line in _told(source, help_bundle.DOCTOR) if line.startswith("bad")),
    )  # fmt: skip


def _newer(deployed: Mapping[str, Any], files: Mapping[str, bytes]) -> tuple[str, ...] | None:
    before = _mapping(deployed.get("files"))
    if not before:
        return None
    return tuple(
        name
        for name, data in files.items()
        if name in before and hashlib.sha256(data).hexdigest() != before[name]
    )


def _told(source: Path, name: str) -> tuple[str, ...]:
    lines = (intake.said(source, name) or b"").decode("utf-8", "replace").splitlines()
    return tuple(_text(line) for line in lines)


def _first(source: Path, names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((found for name in names if (found := _object(intake.said(source, name)))), {})


def _object(data: bytes | None) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        return _mapping(json.loads(data or b"{}"))
    return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return printable(str(value))[:_LONGEST] if isinstance(value, str | int) else ""


# ---- Trying it out --------------------------------------------------------------------------------------


def try_out(opened: Opened) -> Tried:
    """Deploy it in its own cloud, follow the path, send one picture. Its trouble is what comes back."""
    with _sandboxed(opened.context):
        return _tried(opened.context)


@contextlib.contextmanager
def _sandboxed(context: Context) -> Iterator[None]:
    try:
        yield
    finally:
        if isinstance(context, _Assisting):
            context.sandbox.close()


def _tried(context: Context) -> Tried:
    from labkit.deploy import troubles
    from labkit.lesson.steps import deploy, process, wire

    try:
        with troubles.in_words():
            deployed = deploy.run(context)
            if stopped := _stopped(deployed.checks):
                return Tried((), stopped, *_words(context))
            seen = wire.look(context, context.deployed().outputs)
            stopped = _stopped(seen.checks) or _stopped(process.run(context).checks)
    except LabError as error:
        return Tried(stopped=CheckResult("it deploys", False, error.message, error.hint))
    return Tried(tuple(seen.data.get("hops", ())), stopped, *_words(context))


def _stopped(checks: tuple[CheckResult, ...]) -> CheckResult | None:
    return next((check for check in checks if not check.passed), None)


def _words(context: Context) -> tuple[str, str]:
    """The last thing that the server said of an error, and the last report of the function; "" for none."""
    outputs = context.workspace.record.deployed.get("outputs", {})
    try:
        bad = [line for line in logs.server(context, outputs) if "rror" in line or "xception" in line]
        reports = [line for line in logs.function(context, outputs) if line.startswith("REPORT")]
    except (LabError, KeyError):  # no server, no function: then they said nothing
        return "", ""
    return (bad or [""])[-1], (reports or [""])[-1]
