"""One zip for whoever helps: the pack, what the doctor finds, the last errors, logs; no secrets, no names of folders.

What belongs here: what goes in, the list of it, what was taken out. What does not: what a secret is (labkit.base.redaction),
opening such a zip (labkit.lesson.assisting).
"""

import getpass
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import labkit
from labkit.base import last_errors, redaction, state
from labkit.base.errors import LabError, WorkspaceError
from labkit.course.workspace import Workspace
from labkit.lesson import doctor
from labkit.lesson.context import Context
from labkit.lesson.handing_in import pack
from labkit.lesson.path import logs

FOLDER = "help"
ERRORS, DOCTOR, MACHINE, LIST = (f"{FOLDER}/{name}.txt" for name in ("errors", "doctor", "machine", "list"))
_LINES, _LONGEST = 200, 300_000
_WHAT: Mapping[str, str] = {
    ERRORS: "the last errors that were told",
    DOCTOR: "what the doctor finds",
    MACHINE: "versions, system, cloud",
    f"{FOLDER}/cloud.log": "the local cloud's log",
    f"{FOLDER}/server.log": "the server's journal",
    f"{FOLDER}/boot.log": "the boot script's output",
    f"{FOLDER}/function.log": "the function's log",
}


@dataclass(frozen=True)
class Bundle:
    """What goes into the zip. `taken_out`: by file, how many of which secrets."""

    path: Path
    files: Mapping[str, bytes]
    taken_out: Mapping[str, Mapping[str, int]]
    workspace: Workspace | None = None

    def listed(self) -> Iterator[str]:
        """A line for each file: its size, its name, what it is."""
        for name, data in sorted(self.files.items()):
            yield f"{len(data):>9,}  {name:<34} {_what(name)}".rstrip()

    def write(self) -> None:
        """Write it, with the list. Raises StateError."""
        files = {**self.files, LIST: ("\n".join(self.listed()) + "\n").encode()}
        if self.workspace is None:
            state.write_bytes(self.path, pack.archive(files), mode=0o600)
        else:
            pack.write(self.path, files, self.workspace, mode=0o600)


def gather(context: Context, variables: Mapping[str, str] = os.environ) -> Bundle:
    """Everything that helps, cleaned. Without files of one's own, the rest."""
    try:
        workspace = context.workspaces.current()
    except WorkspaceError:  # a broken one: that is what help is asked for
        workspace = None
    own = pack.content(workspace) if workspace else {}
    said = {name: text.encode() for name, text in _said(context, workspace) if text}
    taken_out: dict[str, Mapping[str, int]] = {}
    files = {}
    rules = _rules(context, variables)
    for name, data in {**own, **said}.items():
        files[name], found = _cleaned(data, rules)
        if found:
            taken_out[name] = dict(found)
    slug = pack.path_of(workspace).name.removeprefix("submission-") if workspace else "lab.zip"
    return Bundle(context.places.work / f"help-{slug}", files, taken_out, workspace)


def _cleaned(data: bytes, rules: redaction.Redaction) -> tuple[bytes, Counter[str]]:
    """Text is cleaned; what is none stays as it is, as a picture does."""
    try:
        text, found = rules.clean(data.decode())
    except UnicodeDecodeError:
        return data, Counter()
    return text.encode(), found


def _rules(context: Context, variables: Mapping[str, str]) -> redaction.Redaction:
    """This machine's own secrets and folders, and those of the running cloud."""
    running = context.cloud.running()
    cloud = (running.token, running.secret_access_key) if running else ()
    home, base = str(Path.home()), str(context.places.base.resolve())
    user = getpass.getuser()
    folders = {
        home: "~",
        str(context.places.root): "<kit>",
        base: "<lab>",
        f"/home/{user}": "~",
        f"/Users/{user}": "~",
    }
    windows = {f"/mnt/c/Users/{name}": "/mnt/c/Users/<you>" for name in _windows_users()}
    paths = {path: instead for path, instead in {**folders, **windows}.items() if len(path) > 1}
    return redaction.Redaction(redaction.known(variables, cloud), paths)


def _windows_users() -> list[str]:
    """Names of this Windows machine's users, as WSL shows their folders."""
    try:
        return [path.name for path in Path("/mnt/c/Users").iterdir()]
    except OSError:
        return []


# ---- What is said besides the pack ------------------------------------------------------------------


def _said(context: Context, workspace: Workspace | None) -> Iterator[tuple[str, str]]:
    yield (
        DOCTOR,
        "".join(
            f"{each.state:<5} {each.name}: {each.text}{f'  Do: {each.do}' if each.do else ''}\n"
            for each in doctor.examine(str(context.places.root))
        ),
    )
    errors = last_errors.read(context.places.state)
    yield ERRORS, "".join(f"{e.at}  ./lab {e.command}\n  {e.message}\n  → {e.hint}\n" for e in errors)
    yield MACHINE, _machine(context, workspace)
    yield f"{FOLDER}/cloud.log", _tail(context.cloud.log)
    if workspace:
        for path in sorted((context.places.state / "terraform" / "logs").glob(f"{workspace.variant.name}-*")):
            yield f"{FOLDER}/{path.name}", _tail(path)
        yield from _running(context, workspace)


def _machine(context: Context, workspace: Workspace | None) -> str:
    running = context.cloud.running()
    told = {
        "kit": labkit.__version__, "python": platform.python_version(), "system": platform.platform(),
        "cloud": f"{running.account}, {running.tier}, since {running.started_at:.0f}" if running else "not running",
        "engine": workspace.record.engine if workspace else "", "folder": workspace.path.name if workspace else "none",
        "changed": ", ".join(workspace.changed()) if workspace else "", "missing": ", ".join(workspace.missing()) if workspace else "",
    }  # fmt: skip
    return "".join(f"{name}: {value}\n" for name, value in told.items() if value)


def _running(context: Context, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """What server and function said, where they run; nothing is started for it."""
    outputs = workspace.record.deployed.get("outputs", {})
    if not outputs or context.cloud.running() is None:
        return
    reads: Mapping[str, Callable[[Context, Mapping[str, str]], list[str]]] = {
        "server": logs.server,
        "boot": logs.boot,
        "function": logs.function,
    }
    for name, read in reads.items():
        try:
            lines = read(context, outputs)
        except (LabError, KeyError) as error:
            lines = [f"It can't be read: {error}"]
        yield f"{FOLDER}/{name}.log", "\n".join(lines)[-_LONGEST:]


def _tail(path: Path) -> str:
    try:
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-_LINES:])[-_LONGEST:]
    except OSError:
        return ""


def _what(name: str) -> str:
    if name in _WHAT:
        return _WHAT[name]
    return "what Terraform said" if name.startswith(f"{FOLDER}/") else "" if "/" in name else "yours"
