"""Step 10: delete everything and prove it by listing.

What belongs here: this step's work and checks. What does not: how an engine deletes what it made, or how
leftovers are found (labkit.deploy).
"""

from labkit import state
from labkit.deploy import cleanup, survivors
from labkit.errors import LabError
from labkit.events import Event
from labkit.lesson import byhand, drift
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, StepResult


def run(context: Context) -> StepResult:
    """Let the engine destroy, delete what it did not know, list what is left."""
    variant, engine = context.workspace.variant, context.engine
    _build_again(context)
    cleanup.demolish(
        context.clients, engine.destroy, context.emit, prefix=variant.name, tag_value=variant.code
    )
    drift.forget(context)
    context.workspace.save_deployed(engine=engine.engine, target="local", outputs={})
    result = check(context)
    _keep_proof(context, engine.engine, result.checks[0])
    return result


def check(context: Context) -> StepResult:
    """Nothing of this lab is left: looked for by name and by tag, in every service it used."""
    variant = context.workspace.variant
    left = survivors.find(context.clients, prefix=variant.name, tag_value=variant.code)
    found = "; ".join(f"{s.kind} {s.identifier} (by {s.found_by})" for s in left)
    return StepResult(
        (
            CheckResult(
                "nothing is left", not left, f"still there: {found}" if left else "",
                hint="Run the step again:  ./lab destroy" if left else "", expected="nothing", found=found,
            ),
        ),
        commands=byhand.destroy(context),
    )  # fmt: skip


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
