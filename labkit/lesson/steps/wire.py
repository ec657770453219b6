"""Step 04: a packet's way from the client to the server, hop by hop.

What belongs here: this step's work and checks. What does not: what each hop needs (labkit.lesson.path.path).
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from labkit.lesson import proving
from labkit.lesson.context import Context
from labkit.lesson.faults import breaking, prediction
from labkit.lesson.help import byhand
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.path import diagnosis, path, power
from labkit.lesson.path.invoking import Answer, invoke
from labkit.lesson.screens import mend, where

OPTIONS = ("engine", "watch", "target", "region")
JUDGES: Judged = "deployed"

_INSIDE = "./lab shell server    then: journalctl -u flask-app"
_FROM_OUTSIDE = "./lab logs boot    in AWS's console: Connect, Session Manager, if its role allows it"
MEANING: Mapping[str, str] = {
    "silence": "Silence until the time is up: something on the way dropped the packet.",
    "refused": "Refused at once: it arrived, and no program listens there.",
    "status": "A status: it arrived, a program answered; read that program's log.",
    "denied": "AccessDenied: AWS knows who asks, and says no.",
}


#: EC2 user guide, "Security group connection tracking"
_KEPT_OPEN = ("The connection of before is open still, and outlives the rule; a new one would be dropped.",)


def run(context: Context) -> StepResult:
    """Call /health through the function, read every hop, draw the path; then try the gaps that are met so far."""
    prediction.recall(context)
    seen = look(context, context.deployed().outputs)
    tried = proving.prove(context, "wire") if seen.passed else ()
    return replace(seen, checks=(*seen.checks, *tried))


def check(context: Context) -> StepResult:
    """The same, without trying the gaps as the grade does: what is known of them counts."""
    seen = look(context, context.deployed().outputs)
    return replace(seen, checks=(*seen.checks, *(proving.known(context, "wire") if seen.passed else ())))


def look(context: Context, outputs: Mapping[str, str]) -> StepResult:
    """Every hop, as checks up to the first that fails."""
    boot = context.place.await_boot(outputs)
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"action": "health"})
    if answer.status != 200 and breaking.at_work(context.workspace):
        return _hidden(answer)
    scene = path.look(context.clients, outputs, context.workspace.variant.port, boot)
    hops = path.follow(scene, answer.status, answer.message, answer.seconds)
    checks = tuple(_check(context, hop, scene, answer) for hop in hops if hop.state != "unknown")
    server = f"{scene.address}:{scene.port}"
    drawing = path.draw(hops, context.workspace.variant.vpc_cidr, server)
    facts = (*_labelled("Path", drawing), *_facts(context, scene, boot, answer))
    return StepResult(checks, facts, {"hops": [vars(h) for h in hops]}, byhand.wire(outputs))


def _hidden(answer: Answer) -> StepResult:
    name, hint = "the path, while a fault of step 06 is at work", "Find the hop by hand, then:  ./lab break"
    return StepResult((CheckResult(name, False, _seen(answer).removeprefix("seen").strip(), hint),))


def _check(context: Context, hop: path.Hop, scene: path.Scene, answer: Answer) -> CheckResult:
    name = f"hop {hop.number} of {len(path.NAMES)}, {hop.name}"
    if hop.state == "ok":
        return CheckResult(name, True)
    if hop.name == "function" and hop.symptom == "code":
        return _raised(context, name, scene, answer)
    variant = context.workspace.variant
    server = f"{scene.address}:{scene.port}"
    way = path.one_line(_with(hop), variant.vpc_cidr, server)
    shown = () if hop.symptom == "outside" else (f"needed  {hop.needed}", f"found   {hop.seen}")
    gap, symptom, cause = _cause(context, hop, scene)
    details = (way, *shown, _seen(answer), *(_KEPT_OPEN if answer.status == 200 else ()), *cause)
    go_on = mend(context, gap) if symptom == "code" else where(context, gap)
    if symptom == "stopped":
        go_on = power.start(str(scene.instance["InstanceId"])) + "\nor"
    more = f"   ./lab what {hop.term.replace(' ', '-')}" if hop.term else ""
    return CheckResult(
        name, False, hop.seen + _silence(answer), hint=go_on + more, expected=hop.needed,
        found=hop.seen, gap=gap, symptom=symptom, details=tuple(d for d in details if d),
    )  # fmt: skip


def _raised(context: Context, name: str, scene: path.Scene, answer: Answer) -> CheckResult:
    outputs = {
        "LambdaFunctionName": str(scene.function["FunctionName"]),
        "InstanceId": str(scene.instance["InstanceId"]),
    }
    found = diagnosis.explain(context, outputs, answer)
    return CheckResult(
        name,
        False,
        found.reason,
        mend(context, found.gap),
        gap=found.gap,
        symptom=found.symptom,
        details=found.details,
    )


def _cause(context: Context, hop: path.Hop, scene: path.Scene) -> tuple[str, str, tuple[str, ...]]:
    """Gap, symptom and lines: what the student's own code said when it did not start, or does not answer."""
    if hop.name not in ("boot", "health"):
        return hop.gap, hop.symptom, ()
    gap, lines = diagnosis.of_server(context, {"InstanceId": str(scene.instance["InstanceId"])})
    if lines:
        return gap, "code", lines
    return hop.gap, hop.symptom, tuple(list(scene.boot.get("log", []))[-2:])


def _with(hop: path.Hop) -> list[path.Hop]:
    """The whole path, of which this hop is the first bad one."""
    before = path.NAMES[: hop.number - 1]
    after = path.NAMES[hop.number :]
    good = [path.Hop(name, "ok", "") for name in before]
    return [*good, hop, *(path.Hop(name, "unknown", "") for name in after)]


def _silence(answer: Answer) -> str:
    return f": {answer.seconds:.0f} s of silence" if answer.status == 504 and answer.seconds > 3 else ""


def _seen(answer: Answer) -> str:
    if answer.status == 504 and answer.seconds > 3:
        return f"seen    {answer.seconds:.0f} s of silence, then 504. Silence means: dropped, not refused."
    if answer.status:
        return f"seen    status {answer.status} after {1000 * answer.seconds:.0f} ms"
    return f"seen    {answer.problem}"


def _facts(
    context: Context, scene: path.Scene, boot: Mapping[str, Any], answer: Answer
) -> tuple[tuple[str, str], ...]:
    """What to look at next, by hand."""
    facts = [
        (
            "Boot log",
            textwrap.shorten(" ".join(list(boot.get("log", []))[-1:]), 62, placeholder=" …") or "empty",
        ),
        ("Look inside", _INSIDE if context.place.inside else _FROM_OUTSIDE),
    ]
    return tuple(facts) if answer.status == 200 else (*facts, *_labelled("Four symptoms", MEANING.values()))


def _labelled(label: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines under one label."""
    for number, line in enumerate(lines):
        yield ("" if number else label), line
