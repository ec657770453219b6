"""The overview as one HTML page: escaped, without scripts or anything from elsewhere, for phones and screen readers.

What belongs here: the page. What does not: its figures (overview). It holds hidden reasons: it is for staff.
"""

from labkit.base.html import template_beside
from labkit.classroom.overview import Overview

_TEMPLATE = "overview.html.jinja"


def render(view: Overview, title: str) -> str:
    """The page."""
    lines = sorted(view.lines, key=lambda line: (line.rate, -line.points))
    return template_beside(__file__, _TEMPLATE).render(
        view=view, title=title, lines=lines, most=max([1, *view.bins])
    )
