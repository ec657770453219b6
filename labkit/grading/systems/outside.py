"""What a gap's text uses and does not hold: helpers that the student wrote outside it.

Judged alone, a gap is put into the reference, where such a helper is not. What belongs here: finding their names, by
the student's own text alone. What does not: gaps themselves (gaps), what a verdict says of it (session).
"""

import re
from collections.abc import Iterable, Mapping

from labkit.base.errors import WorkspaceError
from labkit.course.markers import bodies, with_bodies
from labkit.course.rubric import GIVEN, given_of

_WORD = re.compile(r"[A-Za-z_]\w{0,80}(?:\.[A-Za-z_]\w{0,80}){0,2}")
#: a name that the gap itself gives to something
_MADE_INSIDE = re.compile(
    r"(?:(?<=[ ])|^)\w{1,80}(?=[ ]?=[^=])|(?<=\bfor )\w{1,80}|(?<=\bdef )\w{1,80}|(?<=\bas )\w{1,80}",
    re.MULTILINE,
)
#: how each kind of file gives something a name; in Terraform the name is that by which it is referred to
_DEFINED = {
    ".py": (
        (re.compile(r"^[ ]{0,8}(?:async )?(?:def|class) (\w{1,80})", re.MULTILINE), "{}"),
        (re.compile(r"^(\w{1,80})(?:: [^=\n]{1,80})? = ", re.MULTILINE), "{}"),
        (re.compile(r"^(?:from [\w.]{1,80} )?import (?:[\w., ]{1,200} as )?(\w{1,80})", re.MULTILINE), "{}"),
    ),
    ".yaml": ((re.compile(r"^  (\w{1,80}):[ ]{0,8}$", re.MULTILINE), "{}"),),
    ".tf": (
        (re.compile(r'^resource "(\w{1,80})" "(\w{1,80})"', re.MULTILINE), "{}.{}"),
        (re.compile(r'^data "(\w{1,80})" "(\w{1,80})"', re.MULTILINE), "data.{}.{}"),
        (re.compile(r'^variable "(\w{1,80})"', re.MULTILINE), "var.{}"),
        (re.compile(r"^  (\w{1,80})[ ]{1,40}= ", re.MULTILINE), "local.{}"),
    ),
    ".sh": (
        (re.compile(r"^(?:export )?(\w{1,80})=", re.MULTILINE), "{}"),
        (re.compile(r"^(?:function )?(\w{1,80})[ ]?\(\)", re.MULTILINE), "{}"),
    ),
}


def helpers(
    student: Mapping[str, str], reference: Mapping[str, str], units: Iterable[str]
) -> tuple[str, ...]:
    """Names that the gaps among `units` use, that stand outside them in the student's text, and not in the reference."""
    chosen = set(units)
    if GIVEN in chosen:
        return ()
    return tuple(
        name
        for file, text in reference.items()
        if not {file, given_of(file)} & chosen and (inside := _gaps_in(student.get(file, "")) & chosen)
        for name in _of_file(file, student[file], text, inside)
    )


def _gaps_in(text: str) -> set[str]:
    """The names of the gaps; none where the markers can't be told apart, which is said elsewhere."""
    try:
        return set(bodies(text))
    except WorkspaceError:
        return set()


def _of_file(file: str, student: str, reference: str, inside: Iterable[str]) -> list[str]:
    own = {gap: text for gap, text in bodies(student).items() if gap in set(inside)}
    around = with_bodies(student, dict.fromkeys(own, ""))
    used = {name for text in own.values() for word in _WORD.findall(text) for name in _prefixes(word)}
    used -= {name for text in own.values() for name in _MADE_INSIDE.findall(text)}
    return sorted(used & (_names(file, around) - _names(file, reference)))


def _prefixes(word: str) -> list[str]:
    """`a.b.c` is a use of `a`, of `a.b` and of itself."""
    parts = word.split(".")
    return [".".join(parts[: number + 1]) for number in range(len(parts))]


def _names(file: str, text: str) -> set[str]:
    kinds = _DEFINED.get(file[file.rfind(".") :], ())
    return {form.format(*match.groups()) for pattern, form in kinds for match in pattern.finditer(text)}
