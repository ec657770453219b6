"""Step 02: what would be created, before anything exists, and what is unwise in it.

What belongs here: this step's work and checks. What does not: planning (labkit.deploy), the rules (deploy.policy).
"""

import re
from collections.abc import Sequence

from labkit.base.errors import DeployError
from labkit.base.events import Event
from labkit.base.state import write_text
from labkit.deploy.engines import TITLES, OtherEngineStands
from labkit.deploy.model import Engine, Finding, Plan
from labkit.deploy.planning import areas, policy, prices
from labkit.lesson import drift, preflight
from labkit.lesson.context import Context
from labkit.lesson.help import byhand
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.screens import where

OPTIONS = ("engine", "lab-role", "watch", "target", "region")
JUDGES: Judged = "files"

PICTURE = "plan.svg"


def run(context: Context) -> StepResult:
    """Build, validate, plan; show tree, picture, cost and warnings. Nothing is created.

    While the lab stands, made with one engine, the other one's files can be planned all the same.
    """
    for warning in context.workspace.write_build().warnings:
        context.emit(Event("warning", warning))
    engine = _engine(context)
    _warn(context, engine.engine)
    if context.on_aws:
        preflight.warn(context)
    plan, planned = _planned(engine)
    findings = () if plan else engine.validate()  # making a plan validates as well
    valid = _valid(findings)
    checks = (valid, *(() if findings else (planned,)), _protected(context, engine.engine))
    if plan is None:
        return StepResult(checks)
    _show(context, plan)
    context.note(
        "A plan tries nothing. What stands is tried by ./lab wire, once it is deployed: strangers, versions, encryption."
    )
    counts = {action: plan.count(action) for action in areas.SIGNS}
    return StepResult(
        checks, _facts(context, plan, engine.engine), {"plan": counts}, byhand.plan(context, engine.engine)
    )


def _engine(context: Context) -> Engine:
    """The engine that deploys; or the one asked for, while what the other one made stands."""
    try:
        context.refuse_other_engine()
    except OtherEngineStands:
        name = context.wanted_engine
        context.note(
            f"Your lab stands, made with the other engine. This plan is about {TITLES[name]}'s files alone, as if nothing stood."
        )
        return context.make_engine(name)
    drift.warn(context)
    return context.engine


def check(context: Context) -> StepResult:
    """The same: a plan changes nothing."""
    return run(context)


def _valid(findings: Sequence[Finding]) -> CheckResult:
    return CheckResult(
        "your files are valid",
        not findings,
        str(findings[0]) if findings else "",
        hint="Mend the line, then:  ./lab plan" if findings else "",
        details=tuple(str(finding)[:76] for finding in findings[1:6]),
    )


def _planned(engine: Engine) -> tuple[Plan | None, CheckResult]:
    name = "a plan could be made"
    try:
        return engine.plan(), CheckResult(name, True)
    except DeployError as error:
        return None, CheckResult(name, False, error.message, error.hint)


def _protected(context: Context, engine: str) -> CheckResult:
    missing = policy.bucket_protection(context.workspace.files(), engine)
    return CheckResult(
        "your bucket is protected",
        not missing,
        f"an overwritten image is lost, or strangers may come in: no {', no '.join(missing)}"
        if missing
        else "",
        hint=where(context, "bucket-protection", "./lab plan") if missing else "",
        gap="bucket-protection" if missing else "",
    )


def _warn(context: Context, engine: str) -> None:
    for finding in policy.warnings(context.workspace.files(), engine, context.region):
        data = {"file": finding.file, "line": finding.line}
        context.emit(Event("warning", str(finding), data))


def _show(context: Context, plan: Plan) -> None:
    for line in areas.tree(plan):
        context.emit(Event("resource", line))
    for change in plan.changes:
        if change.action == "replace":
            context.note(
                f"{change.name} would be replaced: deleted and created anew, with another id and address, "
                "and what is on its disk is lost."
            )
    write_text(context.workspace.path / "build" / PICTURE, areas.svg(plan))


def _facts(context: Context, plan: Plan, engine: str) -> tuple[tuple[str, str], ...]:
    counted = ", ".join(f"{action} {plan.count(action)}" for action in areas.SIGNS)
    facts = [("Your plan", counted if plan.changes else "nothing to change")]
    facts.append(("As a picture", f"work/{context.workspace.path.name}/build/{PICTURE}"))
    cost = prices.cost(instance_type(context, engine))
    if cost is not None:
        told = f"{cost.hour:.4f} USD an hour, {cost.week:.2f} USD for a forgotten week"
        facts.append(("It would cost on AWS", f"{told} ({prices.REGION}, list prices of {prices.DATE})"))
    return tuple(facts)


def instance_type(context: Context, engine: str) -> str:
    """What the files choose: the default of the variable or parameter, or the choice made on the command line."""
    chosen = context.source.choices.get("instance_type")
    files = context.workspace.files()
    text = (files.get("variables.tf", b"") + files.get("cloudformation-template.yaml", b"")).decode(
        "utf-8", "replace"
    )
    pattern = {
        "terraform": r'variable "instance_type".*?default\s*=\s*"([\w.]+)"',
        "cloudformation": r"^  InstanceType:.*?Default:\s*([\w.]+)",
    }[engine]
    found = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    return chosen or (found[1] if found else "")
