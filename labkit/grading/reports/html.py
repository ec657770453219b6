"""The result as one HTML file: escaped, without scripts or anything from elsewhere, for phones and screen readers.

What belongs here: the page. What does not: its words (words), writing it (bundle).
"""

from pathlib import Path

import jinja2

from labkit.grading.model import Result, worst_first
from labkit.grading.reports import words

_TEMPLATE = "report.html.jinja"


def render(result: Result, *, hidden: bool = False) -> str:
    """The page. `hidden`: tell of hidden lines what they saw."""
    result = words.told(result, hidden=hidden)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    bonus = [line for line in result.bonus if words.asked_for(line)]
    return environment.get_template(_TEMPLATE).render(
        result=result,
        words=words,
        losses=worst_first(result.lines),
        bonus=bonus,
        marks={"passed": "✓", "failed": "✗", "not judged": "?"},
    )
