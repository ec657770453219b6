"""Step 06: the error contract, then two faults in the running system, then an attack on one's own lab.

What belongs here: this step's course and checks. What does not: the faults (labkit.lesson.faults.faults), the
contract's cases (labkit.lesson.measuring.contract), the attempts (labkit.lesson.faults.attack).
"""

import textwrap
from collections.abc import Mapping

from labkit.base.errors import UsageError
from labkit.base.events import Event
from labkit.course import course
from labkit.lesson import drift, proving
from labkit.lesson.context import Context
from labkit.lesson.faults import attack, breaking, faults
from labkit.lesson.faults.breaking import Hunt, Hunts
from labkit.lesson.faults.faults import Bench
from labkit.lesson.help import byhand
from labkit.lesson.measuring import contract
from labkit.lesson.measuring.pictures import collect
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.path import path
from labkit.lesson.path.invoking import Answer, invoke
from labkit.lesson.screens import where
from labkit.lesson.steps import deploy

OPTIONS = ("engine", "watch", "hop", "evidence", "undo", "attack", "fault", "target", "region")
JUDGES: Judged = "deployed"


def run(context: Context) -> StepResult:
    """The contract first; then the fault that is due: broken, answered, or repaired."""
    outputs = context.deployed().outputs
    complete = deploy.all_outputs(outputs)
    if not complete.passed:
        return StepResult((complete,))
    options = context.options.extra
    if options.get("attack"):
        return attack.run(context, outputs, str(options["attack"]))
    bench = Bench(context.clients, outputs, context.place, context.workspace.variant.port)
    hunts = hunts_of(context)
    if context.on_aws:
        context.note(
            "Left out on AWS: faults inside the server, a slow host of images, a table that loses its rows."
        )
    if options.get("fault"):
        name = faults.by_name(str(options["fault"])).name
        if context.on_aws and (why := faults.why_not_on_aws(name)):
            raise UsageError(f"{name} is not made on AWS: {why}.", hint="./lab break --target local")
        hunts.begin_with(name)
    if options.get("contract"):
        return StepResult(tuple(_contract_and_gaps(context, outputs)))
    if hunts.active is None:
        broken = _contract_and_gaps(context, outputs)
        if any(not check.passed for check in broken):
            return StepResult(tuple(broken))
    else:
        broken = []
    hunted = _hunt(context, bench, hunts)
    looking = hunts.active is not None and not hunts.active.found
    return StepResult(
        (*broken, *hunted.checks), hunted.facts, commands=byhand.look(outputs) if looking else ()
    )


def check(context: Context) -> StepResult:
    """How far the faults have come, changing nothing."""
    return StepResult(_verdicts(hunts_of(context), context.engine_name))


def hunts_of(context: Context) -> Hunts:
    """This student's faults, from the pool that the course has chosen."""
    chosen = course.load(context.manifest)
    pool = [name for name in chosen.pool if not (context.on_aws and faults.why_not_on_aws(name))]
    return Hunts(context.workspace, pool, chosen.how_many)


# ---- The contract ---------------------------------------------------------------------------------------


def _contract_and_gaps(context: Context, outputs: Mapping[str, str]) -> list[CheckResult]:
    """The contract, and where it holds the gaps that are met by now."""
    checks = _contract(context, outputs)
    return [*checks, *(proving.prove(context, "break") if all(check.passed for check in checks) else ())]


def _contract(context: Context, outputs: Mapping[str, str]) -> list[CheckResult]:
    """Ten calls that go wrong, one that does not."""
    function = outputs["LambdaFunctionName"]
    page = context.place.publish(outputs, "page.html", b"<html>no image here</html>")
    good = context.place.publish(outputs, "good.gif", collect([str(context.manifest.images[-1])])[0].data)
    checks = []
    for case in contract.cases(page, good):
        answer = invoke(context.clients, function, case.event)
        checks.append(_contract_check(context, case.name, case.status, contract.wrong(case, answer)))
    event = {"image_url": good}

    def call() -> Answer:
        return invoke(context.clients, function, event)

    with contract.other_server(context.clients, function, None):
        unset = contract.Case("EC2_FLASK_URL is not set", event, 500)
        checks.append(_contract_check(context, unset.name, 500, contract.wrong(unset, call())))
    nobody = context.workspace.variant.values()["nobody"]
    with contract.other_server(context.clients, function, f"http://{nobody}:9"):
        checks.append(_contract_check(context, "the server is dead", 504, contract.dead(call)))
    return checks


def _contract_check(context: Context, name: str, status: int, problem: str) -> CheckResult:
    gap = "lambda-call" if "attempt" in problem else "lambda-answers"
    return CheckResult(
        f"{name}: {status}",
        not problem,
        problem,
        hint=where(context, gap) if problem else "",
        gap=gap if problem else "",
        expected=str(status),
        found=problem,
    )


# ---- The hunt -------------------------------------------------------------------------------------------


def _hunt(context: Context, bench: Bench, hunts: Hunts) -> StepResult:
    options = context.options.extra
    hunt = hunts.current
    if hunt is not None and options.get("undo") and hunt.active:
        breaking.undo(bench, hunts, hunt)
        hunt = hunts.current
    if hunt is not None and not hunt.made:
        hunt = breaking.make(bench, hunts, hunt, drift.drift(context))
        context.note("Something in your running system was changed just now. Your files are untouched.")
    if hunt is not None:
        hunt = _go_on(context, bench, hunts, hunt)
    checks = _verdicts(hunts, context.engine_name)
    facts = _symptoms(context, bench.outputs) if hunt is not None and not hunt.over else ()
    return StepResult(checks, facts)


def _go_on(context: Context, bench: Bench, hunts: Hunts, hunt: Hunt) -> Hunt:
    """Take the student's answer, then look whether the path is green again."""
    options = context.options.extra
    hop, evidence = str(options.get("hop", "")), str(options.get("evidence", ""))
    if hop and hop not in path.NAMES:
        raise UsageError(f"{hop!r} is no hop.", hint=f"The hops are: {', '.join(path.NAMES)}")
    if hop or evidence:
        hunt = breaking.answer(hunts, hunt, hop, evidence)
    if hunt.found and green(context, bench.outputs):
        hunt = breaking.repaired(
            hunts, hunt, [*filter(None, [hunt.fault.left(bench)]), *drift.drift(context)]
        )
    if hunt.repaired:
        context.emit(Event("done", f"Repaired. What this fault teaches: {hunt.fault.teaches}."))
    return hunt


def green(context: Context, outputs: Mapping[str, str]) -> bool:
    """Whether health and one image go through."""
    return all(answer.status == 200 for _, answer in _try(context, outputs))


def _try(context: Context, outputs: Mapping[str, str]) -> list[tuple[str, Answer]]:
    function = outputs["LambdaFunctionName"]
    image = context.place.publish(outputs, "good.gif", collect([str(context.manifest.images[-1])])[0].data)
    events = (("health", {"action": "health"}), ("an image", {"image_url": image}))
    return [(name, invoke(context.clients, function, event)) for name, event in events]


def _symptoms(context: Context, outputs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a client sees, and nothing else."""
    facts = []
    for name, answer in _try(context, outputs):
        said = f"status {answer.status}" if answer.status else "no status"
        words = answer.message if answer.status != 200 else ""
        facts.append((name, f"{said} after {answer.seconds:.1f} s  {words}"))
    return tuple(facts)


def _verdicts(hunts: Hunts, engine: str) -> tuple[CheckResult, ...]:
    return tuple(
        _verdict(hunt, f"fault {n} of {len(hunts.all)}", engine) for n, hunt in enumerate(hunts.all, 1)
    )


def _verdict(hunt: Hunt, which: str, engine: str) -> CheckResult:
    """One fault's state, with the one next thing to do."""
    name = f"{which} found, shown and repaired"
    if hunt.repaired:
        return CheckResult(f"{name}: {hunt.name}", True)
    if hunt.undone:
        return CheckResult(f"{which} taken back without its repair: {hunt.name}", True)
    if not hunt.made:
        return CheckResult(name, False, "not begun", hint="./lab break")
    if hunt.found:
        return _to_repair(name, hunt, engine)
    seen = [] if not hunt.hop else [f"hop {hunt.hop} is {'right' if hunt.hop_right else 'wrong'}"]
    seen += (
        [] if not hunt.evidence else [f"the evidence is {'good' if hunt.evidence_right else 'not this one'}"]
    )
    return CheckResult(
        name,
        False,
        "; ".join(seen) or "at which hop, and how do you know?",
        hint=_ANSWER,
        details=_LOOK,
        symptom="fault",
    )


def _to_repair(name: str, hunt: Hunt, engine: str) -> CheckResult:
    """Hop and evidence are right: what is left of the fault, or was lost with it."""
    reason = "hop and evidence are right. Now repair it"
    details: tuple[str, ...] = ()
    if hunt.lost:
        reason = "a client sees nothing of it any more, but this is not as it was before"
        details = tuple(line for sentence in hunt.lost[:3] for line in textwrap.wrap(sentence, 76)[:2])
    way = _INSIDE if hunt.fault.inside else _REPAIR[engine]
    return CheckResult(name, False, reason, hint=way, details=details, symptom="repair")


_ANSWER = './lab break --hop HOP --evidence "one line, rule or id"   (hops: ' + ", ".join(path.NAMES) + ")"
_LOOK = (
    "look by hand: ./lab logs function   ./lab logs server   ./lab shell server",
    "./lab shell, and there the commands below",
)
_AGAIN = "\nThen look once more:\n  ./lab break"
_REPAIR = {
    "terraform": "Terraform sees what was changed, and repairs it:\n  ./lab deploy" + _AGAIN,
    "cloudformation": "CloudFormation compares templates only. Put back by hand, in ./lab shell, what was changed by hand "
    "(./lab hint has a command of the kind); or make everything anew:\n  ./lab destroy && ./lab deploy"
    + _AGAIN,
}
_INSIDE = "It is inside the server, where no engine looks. Put it right there:\n  ./lab shell server" + _AGAIN
