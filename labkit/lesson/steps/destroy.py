"""Step 10: delete everything and prove it by listing.

What belongs here: this step's work and checks. What does not: how an engine deletes what it made, or how
leftovers are found (labkit.deploy).
"""

from collections.abc import Sequence

from labkit.base import state
from labkit.base.errors import LabError, UsageError
from labkit.base.events import Event
from labkit.deploy import terraform_state
from labkit.deploy.engines import standing
from labkit.deploy.model import Survivor
from labkit.deploy.removing import cleanup, survivors
from labkit.deploy.targets import aws as aws_target
from labkit.lesson import drift
from labkit.lesson.context import Context
from labkit.lesson.help import byhand
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS = ("engine", "target", "region", "forget")
JUDGES: Judged = "files"

#: what AWS lets go of late, and what cannot go before it
_HELD = ("network interface", "security group", "subnet", "VPC")
#: what AWS charges for while it is there, used or not
_DEAR = ("instance", "volume")
_PATIENCE = (
    "On AWS this takes minutes: a function's network interface is let go late, after 20 min as a rule, 45 at the most, and "
    "group, subnet and VPC wait for it. Ctrl-C is safe:  ./lab destroy  goes on where it was."
)
_LATER = (
    "AWS releases a function's network interface by itself, usually within 45 min. It costs nothing; what it "
    "blocks (subnet, group, VPC) costs nothing either. Safe to close the laptop.\n"
    "Later, it goes on where it was:\n  ./lab destroy"
)


def run(context: Context) -> StepResult:
    """Let the engine that made it destroy, delete what it did not know, list what is left."""
    if context.options.extra.get("forget"):
        return _forget(context)
    variant = context.workspace.variant
    engine = context.make_engine(standing(context.clients, context.source) or context.wanted_engine)
    if context.on_aws:
        context.note(_PATIENCE)
    _build_again(context)
    cleanup.demolish(context.clients, engine, context.emit, prefix=variant.name, tag_value=variant.code)
    drift.forget(context)
    context.workspace.save_deployed(engine=context.wanted_engine, target=context.target, outputs={})
    result = check(context)
    if result.passed:
        context.leave()
    _keep_proof(context, engine.engine, result.checks[0])
    return result


def check(context: Context) -> StepResult:
    """Nothing of this lab is left: looked for by name and by tag, in every service it used."""
    variant = context.workspace.variant
    left = survivors.find(context.clients, prefix=variant.name, tag_value=variant.code)
    left.sort(key=lambda survivor: survivor.kind != "network interface")  # what keeps the others comes first
    found = "; ".join(f"{s.kind} {s.identifier} (by {s.found_by})" for s in left)
    costs = (("Still costs", _costs(left)),) if left and context.on_aws else ()
    return StepResult(
        (
            CheckResult(
                "nothing is left",
                not left,
                f"still there: {found}" if left else "",
                hint=_next(left),
                expected="nothing",
                found=found,
            ),
        ),
        costs,
        commands=byhand.destroy(context),
    )


def _next(left: Sequence[Survivor]) -> str:
    kinds = {survivor.kind for survivor in left}
    waiting = "network interface" in kinds and kinds <= set(_HELD)
    return _LATER if waiting else "Run the step again:  ./lab destroy" if left else ""


def _costs(left: Sequence[Survivor]) -> str:
    dear = [f"{s.kind} {s.identifier}" for s in left if s.kind in _DEAR]
    return ", ".join(dear) if dear else "nothing: what is left has no price of its own while nobody uses it"


def _forget(context: Context) -> StepResult:
    """Forget what stood in an account that is gone; nothing is asked of AWS, and nothing is deleted there."""
    workspace = context.workspace
    if not context.on_aws:
        raise UsageError(
            "--forget is for AWS.", hint="Name the target:  ./lab destroy --target learner-lab --forget"
        )
    digits, kept = workspace.standing.digits, workspace.kept
    moved = kept.with_name(f"{kept.name}-forgotten-{workspace.clock():%Y%m%d-%H%M%S}")
    if kept.exists():
        kept.rename(moved)
    terraform = terraform_state.path_of(workspace.path, aws_target(context.region, context.target)).parent
    if terraform.exists():
        terraform.rename(moved / "terraform") if moved.exists() else terraform.rename(moved)
    context.leave()
    context.emit(
        Event(
            "warning",
            f"Nothing was deleted. What stands in the account …{digits or '????'} costs until its owner deletes it.",
        )
    )
    return StepResult((CheckResult(f"{context.target} is forgotten", True),))


def _keep_proof(context: Context, engine: str, listed: CheckResult) -> None:
    """What was looked for and found, for the pack: .lab/destroyed.json."""
    workspace, variant = context.workspace, context.workspace.variant
    proof = {
        "format": 1,
        "at": workspace.clock().isoformat(timespec="seconds"),
        "engine": engine,
        "target": context.clients.target.name,
        "name": variant.name,
        "tag": variant.code,
        "left": listed.found,
        "fingerprint": workspace.fingerprint(),
    }
    state.write_json(workspace.kept / "destroyed.json", proof)


def _build_again(context: Context) -> None:
    """Terraform reads build/ even to destroy; files that can't be built are no reason to keep what costs."""
    try:
        context.workspace.write_build()
    except LabError as error:
        context.emit(Event("warning", f"{error.message} It is deleted all the same."))
