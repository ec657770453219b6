"""Gap texts: found by their markers, and put into the reference system, so that one can be judged alone.

What belongs here: pure functions on texts. What does not: rendering the reference (labkit.rendering), deploying
the mixture (system).

In every file a gap stands between `# >>> gap NAME` and `# <<< gap NAME`, each alone on its line.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from labkit.grading.rubric import GIVEN, given_of, is_given

_GAP = re.compile(
    r"^(?P<open>[ \t]*# >>> gap (?P<name>[a-z-]+)[ \t]*\n)(?P<body>.*?)(?P<close>^[ \t]*# <<< gap (?P=name)[ \t]*$)",
    re.MULTILINE | re.DOTALL,
)


class NoSuchText(Exception):
    """A unit is not in the student's files: its file is missing, or its markers are gone. The text says which."""

    @property
    def hint(self) -> str:
        """The next thing to do."""
        missing = str(self).endswith("handed in")
        return (
            "pack your work:  ./lab submit"
            if missing
            else "bring the markers back: ./lab generate shows them"
        )


def bodies(text: str) -> dict[str, str]:
    """What stands between the markers, by gap name."""
    return {match["name"]: match["body"] for match in _GAP.finditer(text)}


def with_bodies(text: str, wanted: Mapping[str, str]) -> str:
    """`text` with these gaps' bodies replaced; others stay."""

    def replaced(match: re.Match[str]) -> str:
        body = wanted.get(match["name"], match["body"])
        return match["open"] + body + match["close"]

    return _GAP.sub(replaced, text)


def mixed(student: Mapping[str, str], reference: Mapping[str, str], units: Iterable[str]) -> dict[str, str]:
    """The reference's files with these units of the student's text in them.

    A unit is a gap's name, a file's name (all of it), "given": what stands outside all gaps, or "given:FILE":
    the same of one file. Line ends of Windows don't count, except in whole files. Raises NoSuchText.
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
        files = _with_gap(gap, files, reference, student)
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
                yield {**student, name: with_bodies(text, own)}


def _file(name: str, student: Mapping[str, str]) -> str:
    if name not in student:
        raise NoSuchText(f"{name} was not handed in")
    return student[name]


def _given(name: str, student: Mapping[str, str], reference: str) -> str:
    text = _file(name, student).replace("\r\n", "\n")
    wanted = bodies(reference)
    gone = wanted.keys() - bodies(text).keys()
    if gone:
        raise NoSuchText(f"in {name} the markers of the gap {sorted(gone)[0]} are gone")
    return with_bodies(text, wanted)


def _with_gap(
    gap: str, files: Mapping[str, str], reference: Mapping[str, str], student: Mapping[str, str]
) -> dict[str, str]:
    """The gap's text of the student in every file where the reference has this gap."""
    result = dict(files)
    for name in (name for name, text in reference.items() if gap in bodies(text)):
        theirs = bodies(student.get(name, "").replace("\r\n", "\n"))
        if gap in theirs:
            result[name] = with_bodies(result[name], {gap: theirs[gap]})
        elif name in student:
            raise NoSuchText(f"in {name} the markers of the gap {gap} are gone")
        else:
            raise NoSuchText(f"{name} was not handed in")
    return result
