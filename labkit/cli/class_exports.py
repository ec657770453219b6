"""The commands `lab class export` and `lab class feedback`: marks for platforms, reports for students.

What belongs here: their options and what they show. What does not: the forms (labkit.classroom.exports).
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from labkit.base import state
from labkit.base.text import printable
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console

_FORMS = (
    "canvas",
    "moodle",
    "moodle-worksheet",
    "gradescope",
    "junit",
    "classroom50",
    "check50",
    "prairielearn",
    "nbgrader",
    "csv",
    "json",
)
_MOST_SHOWN = 30


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add both to the class's actions."""
    export = add("export", "marks in the form that a platform imports", _export)
    export.add_argument("form", choices=_FORMS, metavar="FORM", help=", ".join(_FORMS))
    export.add_argument("--into", metavar="FILE", help="the file that the platform exported, to be filled in")
    export.add_argument("--column", default="", help="its column for the mark, where it can't be told")
    export.add_argument(
        "--feedback-column", metavar="NAME", help="a worksheet's column for feedback, in another language"
    )
    export.add_argument(
        "--assignment", default="Lab", metavar="NAME", help="what the lab is called there (Lab)"
    )
    export.add_argument("--classroom", default="", metavar="NAME", help="Classroom 50's classroom")
    export.add_argument("--decimal-comma", action="store_true", help="97,5 in place of 97.5")
    export.add_argument("--pending", action="store_true", help="also marks that may still move")
    export.add_argument("--to", default="marks", metavar="FOLDER", help="where the files go (marks)")
    feedback = add("feedback", "one report for each student, ready to send back", _feedback)
    feedback.add_argument("--to", default="feedback", metavar="FOLDER", help="where the files go (feedback)")
    feedback.add_argument(
        "--hidden",
        action="store_true",
        help="tell what hidden lines saw, whatever course.toml says (for staff)",
    )


def _export(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import tables
    from labkit.classroom.exports.forms import FORMS, changes
    from labkit.classroom.exports.model import Given

    options = {
        "classroom": arguments.classroom,
        **({"feedback_column": arguments.feedback_column} if arguments.feedback_column else {}),
    }
    given = Given(
        room.standings(), room.rules, tables.read(Path(arguments.into)) if arguments.into else None,
        arguments.column or (room.course.data.get("lms", {}).get("canvas_column", "") if arguments.form == "canvas" else ""),
        arguments.assignment, arguments.decimal_comma, arguments.pending, False, options,
    )  # fmt: skip
    files = FORMS[arguments.form](given)
    now = {each.person.id: given.mark_of(each) for each in given.standings}
    at, before = room.ledger.exported(arguments.form)
    _say_changes(at, changes(before, now), console)
    _say_without([each.person.id for each in given.standings if now[each.person.id] is None], console)
    _write(files, Path(arguments.to))
    room.ledger.note_export(arguments.form, datetime.now(UTC).isoformat(timespec="seconds"), now)
    console.line(
        f"✓ {len(given.marked)} marks, out of {given.total:g}: {_where(files, arguments.to)}", style="good"
    )
    console.result({"files": sorted(files), "marks": now})
    return 0


def _say_changes(
    at: str, changed: Sequence[tuple[str, float | None, float | None]], console: Console
) -> None:
    if not at:
        console.line("The first export in this form.", style="dim")
        return
    console.line(
        f"Since the export of {at}: {len(changed)} marks are different."
        if changed
        else f"As in the export of {at}.",
        style="strong",
    )
    for name, old, new in changed[:_MOST_SHOWN]:
        console.line(f"  {printable(name):<32} {_shown(old)} → {_shown(new)}")
    if len(changed) > _MOST_SHOWN:
        console.line(f"  and {len(changed) - _MOST_SHOWN} more")


def _say_without(names: Sequence[str], console: Console) -> None:
    if names:
        some = ", ".join(map(printable, names[:10])) + (
            f" and {len(names) - 10} more" if len(names) > 10 else ""
        )
        console.line(
            f"! {len(names)} have no mark (missing, not judged, or still moving) and are left out: {some}",
            style="warn",
        )


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        state.write_bytes(folder / name, data, mode=0o600)


def _where(files: Mapping[str, bytes], folder: str) -> str:
    return f"{folder}/{next(iter(files))}" if len(files) == 1 else f"{len(files)} files in {folder}"


def _shown(mark: float | None) -> str:
    return "–" if mark is None else f"{mark:g}"


def _feedback(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom.feedback import Telling, files

    told = room.course.data.get("feedback", {})
    telling = (
        Telling.everything()
        if arguments.hidden
        else Telling(told.get("hidden_lines", "name"), told.get("after_due", "name"))
    )
    made = files(room.standings(), room.rules, telling, datetime.now(UTC))
    _write(made, Path(arguments.to))
    console.line(f"✓ {len(made)} reports in {arguments.to}, one HTML file for each student.", style="good")
    console.result({"files": sorted(made)})
    return 0
