"""The student's prediction before step 04: which hop fails first? Stored at step 01, shown again at 04.

What belongs here: this one answer. What does not: questions with marks (work/<id>/answers.md).
"""

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.lesson.context import Context
from labkit.lesson.path.path import NAMES


def store(context: Context, hop: str) -> None:
    """Keep the prediction. Raises UsageError for what is no hop."""
    if hop not in NAMES:
        raise UsageError(f"{hop!r} is no hop.", hint=f"The hops are: {', '.join(NAMES)}")
    state.write_json(context.workspace.path / ".lab" / "prediction.json", {"hop": hop})


def recall(context: Context) -> None:
    """Show the prediction beside what is about to be seen, until the packet has come all the way."""
    if context.has_done("wire"):
        return
    value = state.read_json(context.workspace.path / ".lab" / "prediction.json")
    if value:
        context.note(f"You predicted that hop {value['hop']} fails first.")
