"""Gap texts: found by their markers, and put into the reference system, so that one can be judged alone.

What belongs here: pure functions on texts. What does not: rendering the reference (labkit.course.rendering), deploying
the mixture (system).

In every file a gap stands between `# >>> gap NAME` and `# <<< gap NAME`, each alone on its line.
"""

import contextlib
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping

from labkit.base.errors import WorkspaceError
from labkit.course.markers import bodies, with_bodies
from labkit.course.rubric import GIVEN, given_of, is_given
from labkit.grading.systems.places import misplaced


class NoSuchText(Exception):
    """A unit can't be used alone: its file is missing, its markers are gone, or it holds more than belongs there.

    The text says which; `hint` is the next thing to do.
    """

    def __init__(self, reason: str, hint: str = "bring the markers back: ./lab generate shows them") -> None:
        super().__init__(reason)
        self.hint = hint


def mixed(
    student: Mapping[str, str],
    reference: Mapping[str, str],
    units: Iterable[str],
    resources: Mapping[str, Collection[str]] | None = None,
) -> dict[str, str]:
    """The reference's files with these units of the student's text in them.

    A unit is a gap's name, a file's name (all of it), "given": what stands outside all gaps, or "given:FILE":
    the same of one file. Line ends of Windows don't count, except in whole files. `resources`: types that a gap's
    text may declare. Raises NoSuchText.
    """
    chosen = set(units)
    given = {unit for unit in chosen if is_given(unit)}
    files = {
        name: _given(name, student, text) if given & {GIVEN, given_of(name)} else text
        for name, text in reference.items()
    }
    for name in chosen & set(reference):
        files[name] = _file(name, student)
    for gap in sorted(chosen - set(reference) - given):
        files = _with_gap(gap, files, reference, student, (resources or {}).get(gap, ()))
    return files


def changes_taken_back(student: Mapping[str, str], reference: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The student's files with one change of their given text taken back, one after the other; gaps stay as they are."""
    for name, right in reference.items():
        try:
            given = _given(name, student, right).splitlines(keepends=True)
        except NoSuchText:
            continue
        lines = right.splitlines(keepends=True)
        for kind, a, b, c, d in difflib.SequenceMatcher(None, given, lines, autojunk=False).get_opcodes():
            if kind != "equal":
                text = "".join([*given[:a], *lines[c:d], *given[b:]])
                own = bodies(student[name].replace("\r\n", "\n"))
                with contextlib.suppress(WorkspaceError):  # the change was one of markers
                    yield {**student, name: with_bodies(text, own)}


def _file(name: str, student: Mapping[str, str]) -> str:
    if name not in student:
        raise NoSuchText(f"{name} was not handed in", "pack your work:  ./lab submit")
    return student[name]


def _gaps(name: str, text: str) -> dict[str, str]:
    try:
        return bodies(text)
    except WorkspaceError as error:
        raise NoSuchText(f"in {name} the gaps can't be told apart. {error.message}") from error


def _given(name: str, student: Mapping[str, str], reference: str) -> str:
    text = _file(name, student).replace("\r\n", "\n")
    wanted = bodies(reference)
    gone = wanted.keys() - _gaps(name, text).keys()
    if gone:
        raise NoSuchText(f"in {name} the markers of the gap {sorted(gone)[0]} are gone")
    return with_bodies(text, wanted)


def _with_gap(
    gap: str,
    files: Mapping[str, str],
    reference: Mapping[str, str],
    student: Mapping[str, str],
    resources: Collection[str],
) -> dict[str, str]:
    """The gap's text of the student in every file where the reference has this gap."""
    result = dict(files)
    for name in (name for name, text in reference.items() if gap in bodies(text)):
        theirs = _gaps(name, _file(name, student).replace("\r\n", "\n"))
        if gap not in theirs:
            raise NoSuchText(f"in {name} the markers of the gap {gap!r} are gone")
        why = misplaced(name, reference[name], gap, theirs[gap], resources)
        if why:
            raise NoSuchText(
                f"the text of the gap {gap!r} in {name} is judged as submitted only, not alone: {why}",
                "move what does not belong into the gap to a place outside it",
            )
        result[name] = with_bodies(result[name], {gap: theirs[gap]})
    return result
