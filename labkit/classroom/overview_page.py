"""The overview as one HTML page: escaped, without scripts or anything from elsewhere, for phones and screen readers.

What belongs here: the page. What does not: its figures (overview). It holds hidden reasons: it is for staff.
"""

from pathlib import Path

import jinja2

from labkit.classroom.overview import Overview

_TEMPLATE = "overview.html.jinja"


def render(view: Overview, title: str) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    lines = sorted(view.lines, key=lambda line: (line.rate, -line.points))
    return environment.get_template(_TEMPLATE).render(
        view=view, title=title, lines=lines, most=max([1, *view.bins])
    )
