"""The result as one HTML file: escaped, without scripts or anything from elsewhere, for phones and screen readers.

What belongs here: the page. What does not: its words (words), writing it (bundle).
"""

from labkit.base.html import template_beside
from labkit.grading.model import Result, worst_first
from labkit.grading.reports import words

_TEMPLATE = "report.html.jinja"


def render(result: Result, *, hidden: bool = False) -> str:
    """The page. `hidden`: tell of hidden lines what they saw."""
    result = words.told(result, hidden=hidden)
    bonus = [line for line in result.bonus if words.asked_for(line)]
    return template_beside(__file__, _TEMPLATE).render(
        result=result,
        words=words,
        losses=worst_first(result.lines),
        bonus=bonus,
        marks={"passed": "✓", "failed": "✗", "not judged": "?"},
    )
