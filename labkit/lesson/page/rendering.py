"""The page as HTML, by Jinja with autoescape: whatever others wrote stays text.

What belongs here: filling in the template. What does not: what is shown (labkit.lesson.page.view).
"""

from collections.abc import Mapping, Sequence

from labkit.base.html import template_beside
from labkit.lesson.page.acting import Job
from labkit.lesson.page.view import View
from labkit.lesson.path import path

#: what of a row stands beside its image, and how much of a value is shown: enough to tell it from others
_COLUMNS: Mapping[str, int] = {
    "image_id": 80, "status": 80, "file_extension": 80, "file_size": 80, "created_at": 80, "sha256": 12, "original_url": 80,
}  # fmt: skip
_STATES: Mapping[path.State, str] = {"ok": "passes", "bad": "stops here", "unknown": "not reached"}


def render(view: View, *, stamp: str = "", job: Job | None = None, may_run: Sequence[str] = ()) -> str:
    """The page. `stamp`: what it is the picture of; `job`: what was started from it; `may_run`: names of the steps that can be."""
    template = template_beside(__file__, "page.html.jinja")
    return template.render(
        view=view, columns=_COLUMNS, states=_STATES, marks=path.MARKS, job=job, may_run=may_run, stamp=stamp
    )
