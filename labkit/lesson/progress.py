"""Where the student is and what to type next: one answer for `./lab` alone and for the end of every step.

What belongs here: reading the records of done and interrupted steps, and whether what was deployed stands. What does not:
doing steps.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.text import span
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course import course
from labkit.course.manifest import Step
from labkit.lesson import aws, freshness
from labkit.lesson.context import Context
from labkit.lesson.help.trouble import Trouble

#: the step that needs no workspace, and keeps its own record
DOCTOR = "doctor"
#: steps that change what stands: one that did not come to its end has to be run again
_CHANGING = ("deploy", "destroy")
#: steps that are done at one target, and not at another by that; the rest is about files, and done everywhere
AT_A_TARGET = ("plan", "deploy", "wire", "process", "break", "measure", "destroy")
#: steps about what runs: files that are newer are deployed first
_JUDGING = ("wire", "process", "break", "measure")
#: steps that only look: whoever has gone on without them need not go back
_LOOKING = (DOCTOR, "plan")


@contextlib.contextmanager
def under_way(context: Context, step: Step) -> Iterator[None]:
    """Around a step's work: one that changes what stands and does not come to its end is remembered."""
    if step.name not in _CHANGING or context.options.check_only:
        yield
        return
    _ = context.workspace  # refuses now, before anything is written
    state.write_json(_mark(context), {"step": step.name})
    yield
    _mark(context).unlink(missing_ok=True)


def interrupted(context: Context) -> str:
    """The changing step that did not come to its end, "" when the last one did."""
    return str((state.read_json(_mark(context)) or {}).get("step", ""))


def _mark(context: Context) -> Path:
    return context.workspace.kept / "under-way.json"


def done_steps(context: Context) -> set[str]:
    """Numbers of the steps that are done and still hold: what was deployed may be gone since."""
    workspace = context.workspace
    here = {context.manifest.step(name).number for name in AT_A_TARGET}
    everywhere = set(replace(workspace, place="").steps_done()) - here
    done = (set(workspace.steps_done()) & here) | everywhere | _fit_machine(context)
    if workspace.standing.deployed:  # something stands again: it is not destroyed any more
        done -= {context.manifest.step(name).number for name in ("destroy", "submit")}
    if interrupted(context) == "deploy" or is_gone(context):
        done -= {context.manifest.step("deploy").number}
    return done


def is_gone(context: Context) -> bool:
    """Whether what was deployed is known to stand no more: the cloud runs, and its network is not in it."""
    from botocore.exceptions import BotoCoreError, ClientError

    deployed = context.workspace.standing.deployed
    if not deployed or context.on_aws or context.cloud.running() is None:  # AWS is asked by steps only
        return False
    wanted = [{"Name": "vpc-id", "Values": [str(deployed.get("outputs", {}).get("VpcId", ""))]}]
    try:
        return not context.clients.client("ec2").describe_vpcs(Filters=wanted)["Vpcs"]
    except (BotoCoreError, ClientError):  # a cloud that does not answer says nothing of what stands
        return False


def next_step(context: Context) -> Step | None:
    """The step to run next: an interrupted one, the one that stopped last, else the first that is not done; None at the end."""
    steps, done = context.manifest.steps, done_steps(context)
    if name := interrupted(context) or ("deploy" if is_gone(context) else ""):
        return context.manifest.step(name)
    stuck = Trouble(context.workspace).stuck()
    left = [step for step in steps if not step.optional and step.number not in done]
    furthest = max(done, default="")
    due = next((step for step in left if step.name not in _LOOKING or step.number > furthest), None)
    if stuck and stuck.step not in done and stuck.step <= furthest:  # one that only looks keeps nobody back
        due = next((s for s in steps if s.number == stuck.step and s.name not in _LOOKING), due)
    deploy = context.manifest.step("deploy")
    stands = bool(context.workspace.standing.deployed) or deploy.number not in done
    stale = due is not None and due.name in _JUDGING and freshness.undeployed(context.workspace)
    return deploy if due and (stale or (not stands and deploy.number in due.needs)) else due


def following(context: Context, step: Step) -> list[Step]:
    """What to type after this step: the next one, then the optional ones between the two that are not done."""
    due = next_step(context)
    steps, done = list(context.manifest.steps), done_steps(context)
    last = steps.index(due) if due else len(steps)
    between = [
        each for each in steps[steps.index(step) + 1 : last] if each.optional and each.number not in done
    ]
    return [*([due] if due else []), *between]


def overview(context: Context) -> Iterator[tuple[str, str]]:
    """Lines (text, style) for `./lab` alone."""
    yield context.manifest.title, "strong"
    if context.workspaces.current() is None:
        yield "You have not begun. Type, with your own id:", ""
        yield "  ./lab generate --student ada@uni.edu", "strong"
        return
    workspace = context.workspace
    variant = workspace.variant
    yield f"{variant.student} · {variant.vpc_cidr} · port {variant.port}", ""
    yield f"files in {workspace.path}/", ""
    chosen = course.load(context.manifest)
    if chosen.due:
        yield f"due {chosen.moment(chosen.due):%A, %d %B %Y %H:%M %Z}".rstrip(), ""
    yield from _target(context)
    yield "", ""
    done = done_steps(context)
    for step in context.manifest.steps:
        optional = " (optional)" if step.optional else ""
        yield f"  {'✓' if step.number in done else '·'} {step.number} {step.title}{optional}", ""
    due = next_step(context)
    yield "", ""
    yield (f"Next:  ./lab {due.name}" if due else "All steps are done."), "strong"


def _target(context: Context) -> Iterator[tuple[str, str]]:
    """Where it deploys to, and what of it stands."""
    yield f"target: {context.target_words}{'' if context.on_aws else f', {_of_the_cloud(context.cloud)}'}", ""
    yield from _elsewhere(context)
    if name := interrupted(context):
        yield f"! The last ./lab {name} did not come to its end: it goes on where it was.", "warn"
    elif is_gone(context):
        yield "! What you deployed stands no more; your files are untouched.", "warn"


def _elsewhere(context: Context) -> Iterator[tuple[str, str]]:
    """What stands at other targets: nobody may forget it."""
    for name in ("", *context.workspace.places()):
        there = replace(context.workspace, place=name).standing
        if there.deployed and name != context.workspace.place:
            called = aws.words(name, there.region, there.digits) if name else "the local cloud"
            yield f"also stands: in {called}   (--target {name or 'local'})", "warn" if name else ""


def _of_the_cloud(cloud: LocalCloud) -> str:
    """Whether it runs, and of when what stands in it is where that was another run's."""
    running, now = cloud.running(), time.time()
    if running is not None:
        back = f"; what stands in it came back, as it was {span(now - running.as_of)} ago"
        return f"running{back if running.as_of else ''}"
    kept = f", with what stood in it {span(now - cloud.kept_since)} ago" if cloud.kept_since else ""
    return f"not running (a step starts it{kept})"


def _fit_machine(context: Context) -> set[str]:
    """Step 00 keeps its own record: it is done before there is a workspace."""
    value = {}
    with contextlib.suppress(LabError):
        value = state.read_json(context.places.state / "doctor.json") or {}
    return {context.manifest.step(DOCTOR).number} if value.get("passed") else set()
