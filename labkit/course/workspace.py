"""The student's folders below work/: made, opened, listed, and never overwritten where the student wrote.

What belongs here: files on disk. What does not: the record beside them (recording), what is in the files
(labkit.course.rendering), what is built from them (labkit.course.build), what a step does.

work/<student id>/ holds the student's files; work/<student id>.solution/ the reference; work/current names the
active one. The kit's own record of a workspace is its .lab/workspace.json.
"""

import contextlib
import dataclasses
import hashlib
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import labkit
from labkit.base import state
from labkit.base.errors import StateError, UsageError, WorkspaceError
from labkit.course import recording
from labkit.course.build import FOLDER, Build, build, write_build
from labkit.course.manifest import Manifest
from labkit.course.recording import Record, Standing
from labkit.course.variant import SOLUTION_SUFFIX, Variant, make_variant, student_id

_START = "Make your files first:  ./lab generate --student ada@uni.edu"

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """One folder of one student. Everything but the identity is read from disk when asked for.

    `place`: where that stands of which engine, deployment and steps are told: "" is the local cloud.
    """

    path: Path
    variant: Variant
    names: tuple[str, ...]
    clock: Clock = _now
    place: str = ""

    @property
    def kept(self) -> Path:
        """The folder of what the kit remembers of this place."""
        return self.path / ".lab" / self.place

    @property
    def standing(self) -> Standing:
        """What the kit remembers of this place. Raises as `record` does."""
        record = self.record
        if not self.place:
            return Standing(record.engine, record.deployed, record.steps)
        return recording.read_standing(self.kept, record.engine)

    def save_standing(self, **changes: Any) -> None:
        """Change what is remembered of this place, in one step."""
        if self.place:
            recording.write_standing(self.kept, dataclasses.replace(self.standing, **changes))
        else:
            self.save_record(**changes)

    def places(self) -> tuple[str, ...]:
        """The places other than the local cloud of which anything is remembered."""
        found = self.path.glob(f".lab/*/{recording.STANDING}")
        return tuple(sorted(path.parent.name for path in found))

    @property
    def solution(self) -> bool:
        """Whether this is the reference solution."""
        return self.path.name.endswith(SOLUTION_SUFFIX)

    @property
    def twin(self) -> Self | None:
        """The same student's other files, own or the reference's, which deploy under the same names; None: there are none."""
        name = folder_name(self.variant.student, solution=not self.solution)
        path = self.path.with_name(name)
        return dataclasses.replace(self, path=path) if recording.record_path(path).exists() else None

    @property
    def record(self) -> Record:
        """The kit's record. Raises WorkspaceError when it is missing, broken or another's."""
        record = recording.read_record(self.path, self.generate_command)
        if (record.student, record.code, record.solution) != (
            self.variant.student,
            self.variant.code,
            self.solution,
        ):
            raise WorkspaceError(
                f"{self.path} belongs to {record.student} ({record.code}), "
                f"not to {self.variant.student} ({self.variant.code}).",
                hint=f"Move the folder aside, then make your files again:\n  {self.generate_command}",
            )
        return record

    @property
    def generate_command(self) -> str:
        """What makes these files, or makes them again."""
        option = " --solution" if self.solution else ""
        return f"./lab generate --student {self.variant.student}{option}"

    def files(self) -> dict[str, bytes]:
        """The student's files as they are now, by name; those that are missing are left out."""
        return {name: _read(self.path / name) for name in self.names if (self.path / name).is_file()}

    def missing(self) -> tuple[str, ...]:
        """Names of files that should be there and are not."""
        return tuple(name for name in self.names if not (self.path / name).is_file())

    def changed(self) -> tuple[str, ...]:
        """Names of files that differ from what the kit wrote."""
        rendered = self.record.rendered
        return tuple(name for name, data in self.files().items() if rendered.get(name) != _sha256(data))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file as it is now, by name."""
        return {name: _sha256(data) for name, data in self.files().items()}

    def write(self, name: str, data: bytes) -> str:
        """Replace one of the files, keeping the old text; returns the backup's name ("" for a new file)."""
        writing = _Writing(self, {}, force=True)
        backup = writing.backup(name) if (self.path / name).exists() else ""
        state.write_bytes(self.path / name, data)
        return backup

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of all files: equal exactly when the files are equal."""
        whole = hashlib.sha256()
        for name, data in sorted(self.files().items()):
            whole.update(f"{name}\0{len(data)}\0".encode() + data)
        return whole.hexdigest()

    def write_build(self) -> Build:
        """Build from the files as edited and write the result to build/. Raises TemplateError."""
        built = build(self.files(), self.variant)
        write_build(self.path / FOLDER, built)
        return built

    def save_record(self, **changes: Any) -> Record:
        """Change fields of the record on disk, in one step."""
        record = dataclasses.replace(self.record, **changes)
        recording.write_record(self.path, record)
        return record

    def save_deployed(self, *, engine: str, target: str, outputs: Mapping[str, str]) -> None:
        """Remember what was deployed where, from which files; no outputs means: nothing stands.

        What stands is then no longer the twin's, whose record says from where it was deployed ("of").
        """
        about = {
            "engine": engine, "target": target, "outputs": dict(outputs), "files": self.hashes(),
            **self._stamp(),
        } if outputs else {}  # fmt: skip
        self.save_standing(engine=engine, deployed=about)
        if self.twin is not None:
            with contextlib.suppress(WorkspaceError):  # a broken record is told when it is opened
                self.twin.save_standing(deployed={**about, "of": self.path.name} if about else {})

    def record_step(self, number: str) -> None:
        """Remember that a step is done, now, with the files as they are."""
        self.save_standing(steps={**self.steps_done(), number: self._stamp()})

    def steps_done(self) -> Mapping[str, Mapping[str, str]]:
        """The steps that are done here, by number, each with time ("at") and "fingerprint"."""
        return self.standing.steps

    def _stamp(self) -> dict[str, str]:
        return {"at": self.clock().isoformat(timespec="seconds"), "fingerprint": self.fingerprint()}


@dataclass(frozen=True)
class Generated:
    """What generate did: files written, files kept because the student changed them, backups by file."""

    workspace: Workspace
    written: tuple[str, ...]
    kept: tuple[str, ...]
    backups: Mapping[str, str]


class Workspaces:
    """All workspaces of one lab. `root` is the lab's folder; they stand in `root`/work."""

    def __init__(self, root: Path, manifest: Manifest, *, clock: Clock = _now) -> None:
        self._work = root / "work"
        self._manifest = manifest
        self._clock = clock

    def at(self, root: Path) -> Self:
        """The workspaces of the same lab in another folder."""
        return type(self)(root, self._manifest, clock=self._clock)

    def generate(self, student: str, *, solution: bool = False, force: bool = False) -> Generated:
        """Write the student's files and make the workspace the current one.

        A file that the student changed stays as it is; with `force` it is kept as FILE.bak-YYYYMMDD-HHMMSS
        and replaced. Raises UsageError for an id that is not allowed, TemplateError for a broken template,
        WorkspaceError when the folder is another's or the reference solution is not here.
        """
        workspace = self._workspace(folder_name(student, solution=solution))
        known = workspace.record if recording.record_path(workspace.path).exists() else None
        rendered = self._render(workspace)
        made = _Writing(workspace, known.rendered if known else {}, force).write(rendered)
        record = known or Record(
            workspace.variant.student, workspace.variant.code, solution, labkit.__version__
        )
        hashes = {name: _sha256(data) for name, data in rendered.items()}
        recording.write_record(
            workspace.path, dataclasses.replace(record, rendered=hashes, kit=labkit.__version__)
        )
        state.write_text(self._work / "current", workspace.path.name + "\n")
        return made

    def open(self, student: str | None = None, *, solution: bool = False) -> Workspace:
        """The workspace of `student`, or the current one; with `solution`, its reference beside it.

        Raises WorkspaceError, saying what to do, when there is none or it is broken or another's.
        """
        name = folder_name(student, solution=solution) if student else self._current_name(solution=solution)
        workspace = self._workspace(name)
        if not workspace.path.is_dir():
            raise WorkspaceError(
                f"There is no folder work/{name}.", hint=f"Make it:\n  {workspace.generate_command}"
            )
        _ = workspace.record  # refuses a broken or foreign one now, not in the middle of a step
        return workspace

    def current(self) -> Workspace | None:
        """The active workspace, or None before the first one was made. Raises as open does."""
        return self.open() if (self._work / "current").exists() else None

    def starter(self, workspace: Workspace) -> dict[str, bytes]:
        """The files as the kit would write them now for this student, with every gap unwritten."""
        from labkit.course.rendering import Renderer

        texts = Renderer(self._manifest.root, self._manifest.files).render(workspace.variant.values())
        return {name: text.encode() for name, text in texts.items()}

    def newer_templates(self, workspace: Workspace) -> tuple[str, ...]:
        """Names of files whose template says something else than when the kit wrote them."""
        before = workspace.record.rendered
        now = self._render(workspace)
        return tuple(name for name, data in now.items() if before.get(name) != _sha256(data))

    def note_templates(self, workspace: Workspace) -> None:
        """Remember that the workspace has the text of the templates as they are now."""
        hashes = {name: _sha256(data) for name, data in self._render(workspace).items()}
        workspace.save_record(rendered=hashes)

    def list(self) -> list[str]:
        """Names of the folders that are workspaces, in order."""
        return sorted(path.parent.parent.name for path in self._work.glob("*/.lab/workspace.json"))

    def _current_name(self, *, solution: bool) -> str:
        try:
            name = (self._work / "current").read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise WorkspaceError("There are no files of yours yet.", hint=_START) from error
        except (OSError, UnicodeDecodeError) as error:
            raise WorkspaceError(f"{self._work / 'current'} can't be read.", hint=_START) from error
        student = name.removesuffix(SOLUTION_SUFFIX)
        try:
            return folder_name(student, solution=solution or student != name)
        except UsageError as error:
            raise WorkspaceError(
                f"{self._work / 'current'} names no folder of this lab.", hint=_START
            ) from error

    def _workspace(self, name: str) -> Workspace:
        variant = make_variant(self._manifest.salt, name.removesuffix(SOLUTION_SUFFIX))
        return Workspace(self._work / name, variant, tuple(self._manifest.files.values()), self._clock)

    def _render(self, workspace: Workspace) -> dict[str, bytes]:
        from labkit.course.rendering import Renderer

        renderer = Renderer(self._manifest.root, self._manifest.files)
        if workspace.solution and not renderer.has_solution:
            raise WorkspaceError(
                "The reference solution is not in this copy of the lab.",
                hint="Leave out --solution to make your own files.",
            )
        texts = renderer.render(workspace.variant.values(), solution=workspace.solution)
        return {name: text.encode() for name, text in texts.items()}


def folder_name(student: str, *, solution: bool = False) -> str:
    """The name of a workspace's folder. Raises UsageError for an id that is not allowed."""
    return student_id(student) + (SOLUTION_SUFFIX if solution else "")


# ---- Writing files without losing any -------------------------------------------------------------


@dataclass(frozen=True)
class _Writing:
    """One generate: what the kit wrote last time decides what the student changed."""

    workspace: Workspace
    before: Mapping[str, str]
    force: bool

    def write(self, rendered: Mapping[str, bytes]) -> Generated:
        there = self.workspace.files()
        theirs = {n for n, data in there.items() if self._is_theirs(n, data) and data != rendered[n]}
        kept = theirs if not self.force else set()
        backups = {name: self.backup(name) for name in sorted(theirs - kept)}
        written = tuple(n for n, data in rendered.items() if n not in kept and there.get(n) != data)
        for name in written:
            state.write_bytes(self.workspace.path / name, rendered[name])
        return Generated(self.workspace, written, tuple(n for n in rendered if n in kept), backups)

    def _is_theirs(self, name: str, data: bytes) -> bool:
        return self.before.get(name) != _sha256(data)

    def backup(self, name: str) -> str:
        """Copy a file beside itself; returns the copy's name."""
        stamp = self.workspace.clock().astimezone().strftime("%Y%m%d-%H%M%S")
        backup = self.workspace.path / f"{name}.bak-{stamp}"
        number = 1
        while backup.exists():
            number += 1
            backup = self.workspace.path / f"{name}.bak-{stamp}-{number}"
        try:
            shutil.copy2(self.workspace.path / name, backup)
        except OSError as error:
            raise StateError(
                f"{backup} could not be written: {error.strerror or error}. Nothing was replaced.",
                hint=state.WRITABLE,
            ) from error
        return backup.name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WorkspaceError(
            f"{path} can't be read: {error.strerror or error}.",
            hint=f"Mend its permissions:\n  chmod u+r {shlex.quote(str(path))}",
        ) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
