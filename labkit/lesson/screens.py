"""The last line of every failing screen: the gap, its file and line, and how to get a hint.

What belongs here: the words that all steps share. What does not: a step's own words.
"""

from labkit.course import gaps
from labkit.course.markers import regions
from labkit.lesson.context import Context


def where(context: Context, gap: str, then: str = "./lab deploy") -> str:
    """ "Do: gap lambda-network, work/ID/main.tf:118", then what to type; without a gap only the way to a hint."""
    if not gap:
        return "./lab hint"
    workspace = context.workspace
    found = gaps.find(context.manifest, gap)
    file = found.files[engine_of(context)]
    text = workspace.files().get(file, b"").decode(errors="replace")
    region = regions(text).get(gap)
    line = f":{region.line}" if region else ""
    return f"Do: gap {gap}, work/{workspace.path.name}/{file}{line}\n  then:  {then}     stuck:  ./lab hint"


def mend(context: Context, gap: str) -> str:
    """The same for a line of code that the screen names: it may stand outside every gap."""
    return where(context, gap) if gap else "Mend that line,\n  then:  ./lab deploy     stuck:  ./lab hint"


def engine_of(context: Context) -> str:
    """The engine that the student asks about, else works with: that of the last deployment."""
    return context.options.engine or context.workspace.standing.engine
