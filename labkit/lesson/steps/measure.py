"""Step 07: measure how long an image takes, layer by layer, at a set rate.

What belongs here: this step's course, its table and its checks. What does not: pacing (labkit.lesson.measuring).
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit import state
from labkit.errors import UsageError
from labkit.lesson import answers, freshness, measuring, plots
from labkit.lesson.context import Context
from labkit.lesson.measuring import Plan
from labkit.lesson.model import CheckResult, StepResult
from labkit.lesson.pictures import collect

FILE = "measurement.json"
FEWEST = 10
#: what a price list says for 1 GB of memory and a second (x86, ap-south-1), and for a million calls, in USD
GB_SECOND, MILLION_CALLS = 0.0000166667, 0.20


def run(context: Context) -> StepResult:
    """Measure, keep JSON and plots, lay another run beside it when asked to."""
    outputs = context.deployed().outputs
    freshness.warn(context)
    plan = _plan(context)
    image = collect([str(context.manifest.images[0])])[0]
    event = {"image_url": context.cloud.publish(image.name, image.data)}
    began = time.monotonic()

    def send() -> measuring.Request:
        return measuring.send_one(context.clients, outputs["LambdaFunctionName"], event, began)

    total = "clients at once" if plan.clients else "images"
    requests = measuring.measure(plan, send, lambda done, of: context.progress(total, done, of or done))
    value = measuring.report(plan, requests, _about(context, outputs))
    folder = _folder(context)
    state.write_json(folder / FILE, value)
    answers.begin(context.workspace.path)
    return _result(context, value, _drawn(context, value, folder))


def check(context: Context) -> StepResult:
    """The newest measurement once more, without measuring."""
    value = state.read_json(_folder(context) / FILE)
    if value is None:
        missing = CheckResult("there is a measurement", False, "none yet", hint="./lab measure")
        return StepResult((missing,))
    return _result(context, value, ())


def _folder(context: Context) -> Path:
    return context.workspace.path / "measurements"


def _plan(context: Context) -> Plan:
    options = context.options.extra
    plan = Plan(
        rate=float(options.get("rate", 1.0)), seconds=float(options.get("seconds", 30.0)),
        clients=int(options.get("clients", 0)),
    )  # fmt: skip
    if not (0.1 <= plan.rate <= 200 and 1 <= plan.seconds <= 3600 and 0 <= plan.clients <= 32):
        raise UsageError(
            "Rate 0.1 to 200 a second, 1 to 3600 seconds, at most 32 clients.",
            hint="The classic:  ./lab measure --rate 1 --seconds 300",
        )
    return plan


def _about(context: Context, outputs: Mapping[str, str]) -> Mapping[str, Any]:
    from datetime import UTC, datetime

    api = context.clients.client("lambda")
    memory = api.get_function_configuration(FunctionName=outputs["LambdaFunctionName"])["MemorySize"]
    expected = context.options.extra.get("expect")
    return {
        "student": context.workspace.variant.student, "code": context.workspace.variant.code,
        "target": context.clients.target.name, "memory_mb": memory, "expected_median_ms": expected,
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "fingerprint": context.workspace.fingerprint(),
    }  # fmt: skip


def _drawn(context: Context, value: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    name = (
        f"clients-{value['plan']['clients']}"
        if value["plan"]["clients"]
        else f"rate-{value['plan']['rate']:g}"
    )
    return plots.draw(value, folder, name)


def _result(context: Context, value: Mapping[str, Any], pictures: tuple[Path, ...]) -> StepResult:
    requests = [measuring.Request(**r) for r in value["requests"]]
    wrong = measuring.inconsistent(requests)
    rate = value["success_rate"]
    checks = (
        CheckResult("enough requests", len(requests) >= FEWEST, f"{len(requests)}; {FEWEST} are needed",
                    hint="Longer:  ./lab measure --seconds 60"),
        CheckResult("every request succeeded", rate == 1.0, f"{rate:.1%} did; statuses {value['statuses']}",
                    hint="./lab logs server   ./lab logs function"),
        CheckResult("the numbers agree with each other", not wrong, "; ".join(wrong[:3]),
                    hint="Is server_ms the server's whole time, lambda_ec2_call_time_ms the function's whole call?"),
    )  # fmt: skip
    facts = (*_table(value), *_predicted(value), *_money(value), *_beside(context, value))
    saved = tuple(("Picture", str(path.relative_to(context.places.base))) for path in pictures)
    return StepResult(
        checks, (*facts, *saved), {"measurement": {k: v for k, v in value.items() if k != "requests"}}
    )


def _table(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The layers as a table; columns are right-aligned."""
    names = ("minimum", "median", "mean", "deviation", "p95", "p99", "maximum")
    heads = ("min", "median", "mean", "std dev", "p95", "p99", "max")
    rows = [("ms, warm", " ".join(f"{head:>8}" for head in heads))]
    for layer, numbers in value["layers"].items():
        if numbers.get("count"):
            rows.append((layer, " ".join(f"{numbers[name]:8.1f}" for name in names)))
    colds = value["cold_starts"]
    rows.append(
        (
            "requests",
            f"{len(value['requests'])}, {value['per_second']:g} a second, statuses {value['statuses']}",
        )
    )
    if colds["count"]:
        rows.append(("cold starts", f"{colds['count']}, {colds['median']:.0f} ms (Init Duration)"))
    if value["about"]["target"] == "local":
        rows.append(("mind", "this laptop, no network; on AWS expect hundreds of ms"))
    return tuple(rows)


def _predicted(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    expected, median = value["about"].get("expected_median_ms"), value["layers"]["client"].get("median")
    if expected is None or median is None:
        return (("prediction", "none; next time:  ./lab measure --expect MS"),)
    return (("prediction", f"{expected:g} ms; measured {median:.1f} ms: {median / expected:.2g} times that"),)


def _money(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    mean = value["layers"]["client"].get("mean")
    if mean is None:
        return ()
    return (
        (
            "a million",
            f"question 4 asks what your mean of {mean:.1f} ms costs; memory {value['about']['memory_mb']} MB",
        ),
    )


def _beside(context: Context, value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Another run, for example one from AWS, beside this one."""
    name = context.options.extra.get("compare")
    if not name:
        return ()
    try:
        other = json.loads(Path(str(name)).read_text(encoding="utf-8"))
        theirs, about = other["layers"]["client"], other["about"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{name} is no measurement: {error}.", hint="Name a measurement.json.") from error
    mine = value["layers"]["client"]
    rows = [("beside", f"{about.get('target', '?')}, {about.get('at', '?')}")]
    for mark in ("median", "p95", "maximum"):
        if mark in mine and mark in theirs:
            rows.append((mark, f"{mine[mark]:.1f} ms here, {theirs[mark]:.1f} ms there"))
    return tuple(rows)
