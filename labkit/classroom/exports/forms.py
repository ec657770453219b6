"""Which forms there are, by the name that is typed.

What belongs here: the list, and telling what an export changes. What does not: the forms.
"""

from collections.abc import Callable, Mapping

from labkit.classroom.exports import canvas, csvs, documents, moodle
from labkit.classroom.exports.model import Given

Form = Callable[[Given], dict[str, bytes]]

FORMS: Mapping[str, Form] = {
    "canvas": canvas.write, "moodle": moodle.write, "moodle-worksheet": moodle.worksheet, "gradescope": documents.gradescope,
    "junit": documents.junit, "classroom50": documents.classroom50, "check50": documents.check50,
    "prairielearn": documents.prairielearn, "nbgrader": csvs.nbgrader, "csv": csvs.write, "json": documents.everything,
}  # fmt: skip


def changes(
    before: Mapping[str, float | None], now: Mapping[str, float | None]
) -> list[tuple[str, float | None, float | None]]:
    """Whose mark is another than in the last export: id, old, new (None: none)."""
    names = dict.fromkeys([*now, *before])
    return [(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]
