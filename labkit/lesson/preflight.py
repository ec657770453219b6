"""What would fail on AWS, said before anything is begun there.

What belongs here: asking for this lab in this account, and showing. What does not: the rules (labkit.deploy.planning.ahead).
"""

from collections.abc import Iterator

from labkit.base.events import Event
from labkit.deploy.model import Finding
from labkit.deploy.planning import ahead
from labkit.lesson.context import Context


def warn(context: Context) -> None:
    """Say what this account refuses in the files, and what it has no room for while nothing of the lab stands there."""
    for finding in refused(context, ahead.concurrency(context.clients)):
        context.emit(Event("warning", str(finding), {"file": finding.file, "line": finding.line}))
    if not context.workspace.standing.deployed:
        for sentence in lacking(context):
            context.emit(Event("warning", sentence))


def refused(context: Context, concurrency: int) -> Iterator[Finding]:
    """What this account refuses in the files; `concurrency` is its limit of Lambda."""
    files, in_lab = context.workspace.files(), context.arrival.holder.in_learner_lab
    return ahead.stated(files, context.wanted_engine, learner_lab=in_lab, concurrency=concurrency)


def lacking(context: Context) -> Iterator[str]:
    """What this account has no room for, before anything of the lab stands there."""
    return ahead.room(context.clients, learner_lab=context.arrival.holder.in_learner_lab)
