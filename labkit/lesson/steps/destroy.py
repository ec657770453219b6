"""Step 10: delete everything and prove it by listing.

What belongs here: this step's work and checks. What does not: how an engine deletes what it made, or how
leftovers are found (labkit.deploy).
"""

from collections.abc import Sequence

from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.deploy.engines import standing
from labkit.deploy.model import Survivor
from labkit.deploy.removing import cleanup, survivors
from labkit.lesson import drift
from labkit.lesson.context import Context
from labkit.lesson.help import byhand
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS = ("engine",)
JUDGES: Judged = "files"

#: what AWS lets go of late, and what cannot go before it
_HELD = ("network interface", "security group", "subnet", "VPC")
_LATER = (
    "AWS releases a function's network interface by itself, usually within 45 min. It costs nothing; what it "
    "blocks (subnet, group, VPC) costs nothing either. Safe to close the laptop.\n"
    "Later, it goes on where it was:\n  ./lab destroy"
)


def run(context: Context) -> StepResult:
    """Let the engine that made it destroy, delete what it did not know, list what is left."""
    variant = context.workspace.variant
    engine = context.make_engine(standing(context.clients, context.source) or context.wanted_engine)
    _build_again(context)
    cleanup.demolish(context.clients, engine, context.emit, prefix=variant.name, tag_value=variant.code)
    drift.forget(context)
    context.workspace.save_deployed(engine=context.wanted_engine, target="local", outputs={})
    result = check(context)
    _keep_proof(context, engine.engine, result.checks[0])
    return result


def check(context: Context) -> StepResult:
    """Nothing of this lab is left: looked for by name and by tag, in every service it used."""
    variant = context.workspace.variant
    left = survivors.find(context.clients, prefix=variant.name, tag_value=variant.code)
    left.sort(key=lambda survivor: survivor.kind != "network interface")  # what keeps the others comes first
    found = "; ".join(f"{s.kind} {s.identifier} (by {s.found_by})" for s in left)
    return StepResult(
        (
            CheckResult(
                "nothing is left", not left, f"still there: {found}" if left else "",
                hint=_next(left), expected="nothing", found=found,
            ),
        ),
        commands=byhand.destroy(context),
    )  # fmt: skip


def _next(left: Sequence[Survivor]) -> str:
    kinds = {survivor.kind for survivor in left}
    waiting = "network interface" in kinds and kinds <= set(_HELD)
    return _LATER if waiting else "Run the step again:  ./lab destroy" if left else ""


def _keep_proof(context: Context, engine: str, listed: CheckResult) -> None:
    """What was looked for and found, for the pack: .lab/destroyed.json."""
    workspace, variant = context.workspace, context.workspace.variant
    proof = {
        "format": 1, "at": workspace.clock().isoformat(timespec="seconds"), "engine": engine,
        "target": context.clients.target.name, "name": variant.name, "tag": variant.code,
        "left": listed.found, "fingerprint": workspace.fingerprint(),
    }  # fmt: skip
    state.write_json(workspace.path / ".lab" / "destroyed.json", proof)


def _build_again(context: Context) -> None:
    """Terraform reads build/ even to destroy; files that can't be built are no reason to keep what costs."""
    try:
        context.workspace.write_build()
    except LabError as error:
        context.emit(Event("warning", f"{error.message} It is deleted all the same."))
