"""What would fail on AWS, said before anything is begun there.

What belongs here: asking once for a step, and showing. What does not: the rules (labkit.deploy.planning.ahead).
"""

from labkit.base.events import Event
from labkit.deploy.planning import ahead
from labkit.lesson.context import Context


def warn(context: Context) -> None:
    """Say what this account refuses in the files, and what it has no room for while nothing of the lab stands there."""
    clients, in_lab = context.clients, context.arrival.holder.in_learner_lab
    files, limit = context.workspace.files(), ahead.concurrency(clients)
    for finding in ahead.stated(files, context.wanted_engine, learner_lab=in_lab, concurrency=limit):
        context.emit(Event("warning", str(finding), {"file": finding.file, "line": finding.line}))
    if not context.workspace.standing.deployed:
        for sentence in ahead.room(clients, learner_lab=in_lab):
            context.emit(Event("warning", sentence))
