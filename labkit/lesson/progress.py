"""Where the student is and what to type next.

What belongs here: reading the record of done steps. What does not: doing steps.
"""

from collections.abc import Iterator

from labkit.base import state
from labkit.course import course
from labkit.lesson.context import Context
from labkit.lesson.engine import DOCTOR


def overview(context: Context) -> Iterator[tuple[str, str]]:
    """Lines (text, style) for `./lab` alone."""
    yield context.manifest.title, "strong"
    if context.workspaces.current() is None:
        yield "You have not begun. Type, with your own id:", ""
        yield "  ./lab generate --student ada@uni.edu", "strong"
        return
    workspace = context.workspace
    done = set(workspace.steps_done()) | _fit_machine(context)
    if workspace.record.deployed:  # something stands again: it is not destroyed any more
        done -= {step.number for step in context.manifest.steps if step.name in ("destroy", "submit")}
    variant = workspace.variant
    yield (
        f"{variant.student} · {variant.vpc_cidr} · port {variant.port} · files in work/{workspace.path.name}/",
        "",
    )
    chosen = course.load(context.manifest)
    if chosen.due:
        yield f"due {chosen.moment(chosen.due):%A, %d %B %Y %H:%M %Z}".rstrip(), ""
    running = context.cloud.running()
    yield f"target: {context.target_words}, {'running' if running else 'not running (a step starts it)'}", ""
    yield "", ""
    for step in context.manifest.steps:
        optional = " (optional)" if step.optional else ""
        yield f"  {'✓' if step.number in done else '·'} {step.number} {step.title}{optional}", ""
    following = next((s for s in context.manifest.steps if not s.optional and s.number not in done), None)
    yield "", ""
    yield (f"Next:  ./lab {following.name}" if following else "All steps are done."), "strong"


def _fit_machine(context: Context) -> set[str]:
    """Step 00 keeps its own record: it is done before there is a workspace."""
    value = state.read_json(context.places.state / "doctor.json") or {}
    return {context.manifest.step(DOCTOR).number} if value.get("passed") else set()
