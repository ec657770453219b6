"""Step 03: create the student's infrastructure from the files as edited.

What belongs here: this step's work and checks. What does not: the engine (labkit.deploy).
"""

import time
from collections.abc import Mapping
from typing import Any

from labkit.deploy.model import OUTPUTS, Deployment
from labkit.lesson import agreeing, drift, limit
from labkit.lesson.context import Context
from labkit.lesson.help import byhand
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.path import diagnosis, power
from labkit.lesson.screens import mend

OPTIONS = ("engine", "lab-role", "watch", "target", "region", "yes", limit.OPTION)
JUDGES: Judged = "deployed, to check"

#: what an engine knows when it finds nothing to do
_UNCHANGED = {
    "terraform": "Nothing to change: what Terraform looks at is as your files say.",
    "cloudformation": "Nothing to change: your template is the one that was deployed.",
}


def run(context: Context) -> StepResult:
    """Build, apply, wait for the server's boot script, remember what was deployed."""
    workspace = context.workspace
    context.refuse_other_engine()
    built = workspace.write_build()
    for warning in built.warnings:
        context.note(warning)
    engine = context.engine
    if context.on_aws:
        agreeing.agree(context)
    _say_role(context)
    context.go_on_at(context.target)
    with drift.followed(context):
        deployment = engine.apply()
    if not deployment.changed:
        context.note(_UNCHANGED[engine.engine])
        drift.warn(context)
    workspace.save_deployed(engine=engine.engine, target=context.target, outputs=deployment.outputs)
    return _checks(context, deployment)


def _say_role(context: Context) -> None:
    if context.own_role:
        account = "a Learner Lab" if context.on_aws else context.cloud.account.name
        context.note(
            f"This account ({account}) brings its own role, {context.source.choices['lab_role']}: your policies "
            "are not used here, and are graded at home."
        )


def check(context: Context) -> StepResult:
    """What stands, without changing it, and what was changed by hand."""
    drift.warn(context)
    return _checks(context, context.engine.current())


def _checks(context: Context, deployment: Deployment) -> StepResult:
    complete = CheckResult(
        "your deployment is complete",
        deployment.status == "complete",
        deployment.reason or deployment.status,
        hint="Create it:  ./lab deploy",
    )
    if not complete.passed:
        return StepResult((complete,))
    outputs = all_outputs(deployment.outputs)
    facts = tuple((name, value) for name, value in deployment.outputs.items())
    if not outputs.passed:
        return StepResult((complete, outputs), facts)
    started = time.monotonic()
    boot = context.place.await_boot(deployment.outputs)
    context.note(f"waited {time.monotonic() - started:.1f} s for the server's boot script")
    return StepResult(
        (complete, outputs, _booted(context, deployment, boot)), facts, commands=byhand.deploy(context)
    )


def all_outputs(outputs: Mapping[str, str]) -> CheckResult:
    """Whether every output is there that the steps look things up by: a student may have removed one."""
    missing = [name for name in OUTPUTS if name not in outputs]
    return CheckResult(
        "all outputs are there",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "",
        hint="Compare the outputs in your file with:  ./lab diff",
    )


def _booted(context: Context, deployment: Deployment, boot: Mapping[str, Any]) -> CheckResult:
    """The boot script's end; where the student's own program is what did not start, that is named."""
    name = "the server's boot script ended well"
    if boot.get("state") == "ok":
        return CheckResult(name, True)
    instance = deployment.outputs["InstanceId"]
    if (state := power.state_of(context.clients, instance)) != "running":
        return CheckResult(
            "your server is running",
            False,
            f"it is {state}",
            hint=power.start(instance),
            expected="running",
            found=state,
            symptom="stopped",
        )
    if boot.get("state") == "unknown" and context.on_aws:
        return CheckResult(
            "the server runs; AWS does not say yet how its boot script ended (step 04 looks)", True
        )
    code = boot.get("exit_code")
    status = "an error" if code is None else f"exit status {code}"
    gap, lines = diagnosis.of_server(context, deployment.outputs)
    if lines:
        return CheckResult(
            name, False, f"it ended with {status}: your program does not start",
            hint=mend(context, gap), expected="exit status 0", found=status, gap=gap, symptom="code", details=lines,
        )  # fmt: skip
    last = " ⏎ ".join(boot.get("log", [])[-5:])
    return CheckResult(
        name,
        False,
        f"it ended with {status}. Last lines: {last}",
        hint="Mend flask_server_startup.sh, then deploy again:  ./lab deploy",
        expected="exit status 0",
        found=status,
        gap="unit",
    )
