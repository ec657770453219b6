"""All report files of one result, written beside each other.

What belongs here: which files there are. What does not: what stands in them.
"""

import json
from pathlib import Path

from labkit.base import state
from labkit.grading.model import Result, to_json
from labkit.grading.reports import gradescope, html, junit, markdown, words


def write(result: Result, folder: Path, *, hidden: bool = False) -> None:
    """result.json, report.html, report.md, junit.xml; results.json (Gradescope) of a final result only.

    Raises StateError when the disk does not take them.
    """
    state.write_json(folder / "result.json", to_json(result if hidden else words.without_hidden(result)))
    state.write_text(folder / "report.html", html.render(result, hidden=hidden))
    state.write_text(folder / "report.md", markdown.render(result, hidden=hidden))
    state.write_text(folder / "junit.xml", junit.render(result, hidden=hidden))
    if result.is_final:
        text = json.dumps(gradescope.render(result, hidden=hidden), indent=1, allow_nan=False) + "\n"
        state.write_text(folder / "results.json", text)
    else:
        (folder / "results.json").unlink(missing_ok=True)  # of an earlier run: it is not this one's mark
