"""Step 07: measure how long an image takes, layer by layer, at a set rate.

What belongs here: this step's course, its table and its checks. What does not: pacing (labkit.lesson.measuring.measuring).
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.course import answers, course
from labkit.lesson import aws
from labkit.lesson.context import Context
from labkit.lesson.measuring import beside, likeaws, measuring, plots
from labkit.lesson.measuring.measuring import Plan, Request
from labkit.lesson.measuring.pictures import collect
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS = (
    "engine",
    "watch",
    "target",
    "region",
    "rate",
    "seconds",
    "clients",
    "expect",
    "cold",
    "like",
    "seed",
    "compare",
)
JUDGES: Judged = "deployed"

#: the newest run at a set rate: it is the one that the questions and the mark are about
FILE = "measurement.json"
FEWEST = 10
RATE, SECONDS, COLD_SECONDS = 1.0, 30.0, 10.0


def run(context: Context) -> StepResult:
    """Measure, keep JSON and plots, lay another run beside it when asked to."""
    plan, other = _plan(context), _other(context)
    outputs = context.deployed().outputs
    with likeaws.delayed(context, plan.seconds) as like:
        requests = _measure(context, plan, outputs)
    value = measuring.report(plan, requests, {**_about(context, outputs), **like})
    folder = _folder(context)
    name = plan.name + ("-like-aws" if like else "")
    files = (f"{name}.json", *((FILE,) if name.startswith("rate") and not like else ()))
    for file in files:
        state.write_json(folder / file, value)
    answers.begin(context.workspace.path, course.load(context.manifest).questions)
    kept = (
        *(folder / file for file in files),
        *plots.draw(value, folder, name, likeaws.remark(value["about"])),
    )
    return _result(context, value, kept, other)


def check(context: Context) -> StepResult:
    """The newest measurement once more, without measuring."""
    value = state.read_json(_folder(context) / FILE)
    if value is None:
        missing = CheckResult("there is a measurement", False, "none yet", hint="./lab measure")
        return StepResult((missing,))
    return _result(context, value, (), _other(context))


def _measure(context: Context, plan: Plan, outputs: Mapping[str, str]) -> list[Request]:
    image, function = collect([str(context.manifest.images[0])])[0], outputs["LambdaFunctionName"]
    event = {"image_url": context.place.publish(outputs, image.name, image.data)}
    total = "images" if plan.name.startswith("rate") else "images so far"
    with _before_each(context, plan, function) as prepare:
        began = time.monotonic()

        def send() -> Request:
            prepare()
            return measuring.send_one(context.clients, function, event, began)

        return measuring.measure(plan, send, lambda done, of: context.progress(total, done, of or done))


@contextlib.contextmanager
def _before_each(context: Context, plan: Plan, function: str) -> Iterator[Callable[[], None]]:
    """What has to be done before each image: nothing, or making its start a cold one."""
    if not plan.cold:
        yield lambda: None
        return
    with measuring.made_cold(context.clients, function) as prepare:
        yield prepare


def _folder(context: Context) -> Path:
    return context.workspace.path / "measurements"


def _plan(context: Context) -> Plan:
    options = context.options.extra
    cold = bool(options.get("cold"))
    plan = Plan(
        rate=float(options.get("rate", RATE)),
        clients=int(options.get("clients", 0)),
        cold=cold,
        seconds=float(options.get("seconds", COLD_SECONDS if cold else SECONDS)),
    )
    if not (0.1 <= plan.rate <= 200 and 1 <= plan.seconds <= 3600 and 0 <= plan.clients <= 32):
        raise UsageError(
            "Rate 0.1 to 200 a second, 1 to 3600 seconds, at most 32 clients.",
            hint="The classic:  ./lab measure --rate 1 --seconds 300",
        )
    if options.get("like") and not context.clients.target.is_local:
        raise UsageError(
            "--like AWS is for the local cloud; this is AWS itself.", hint="Leave it out:  ./lab measure"
        )
    return plan


def _other(context: Context) -> Mapping[str, Any] | None:
    name = context.options.extra.get("compare")
    return beside.measurement(Path(str(name))) if name else None


def _about(context: Context, outputs: Mapping[str, str]) -> Mapping[str, Any]:
    api = context.clients.client("lambda")
    memory = api.get_function_configuration(FunctionName=outputs["LambdaFunctionName"])["MemorySize"]
    target, variant = context.clients.target, context.workspace.variant
    return {
        "student": variant.student,
        "code": variant.code,
        "target": target.name,
        "region": target.region,
        **({"rehearsal": True} if aws.is_rehearsed() and context.on_aws else {}),
        "memory_mb": memory,
        "expected_median_ms": context.options.extra.get("expect"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": context.workspace.fingerprint(),
    }


def _result(
    context: Context, value: Mapping[str, Any], kept: tuple[Path, ...], other: Mapping[str, Any] | None
) -> StepResult:
    requests = [measuring.Request(**r) for r in value["requests"]]
    wrong = measuring.inconsistent(requests)
    rate = value["success_rate"]
    fewest = 3 if value["plan"].get("cold") else FEWEST
    checks = (
        CheckResult("every request succeeded", rate == 1.0, f"{rate:.1%} did; statuses {value['statuses']}",
                    hint="See where one image stops:  ./lab process"),
        CheckResult("enough requests", len(requests) >= fewest, f"{len(requests)}; {fewest} are needed",
                    hint="Longer:  ./lab measure --seconds 60"),
        CheckResult("the numbers agree with each other", not wrong, "; ".join(wrong[:3]),
                    hint="Is server_ms the server's whole time, lambda_ec2_call_time_ms the function's whole call?"),
    )  # fmt: skip
    facts = (
        *_table(value),
        *_predicted(value),
        *_money(value),
        *(beside.rows(value, other) if other else ()),
    )
    saved = [
        ("" if n else "kept in", str(path.relative_to(context.places.base))) for n, path in enumerate(kept)
    ]
    return StepResult(
        checks, (*facts, *saved), {"measurement": {k: v for k, v in value.items() if k != "requests"}}
    )


def _table(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The layers as a table; columns are right-aligned."""
    names = ("minimum", "median", "mean", "deviation", "p95", "p99", "maximum")
    heads = ("min", "median", "mean", "std dev", "p95", "p99", "max")
    temperature = "ms, cold" if value["plan"].get("cold") else "ms, warm"
    rows = [(temperature, " ".join(f"{head:>8}" for head in heads))]
    for layer in measuring.LAYERS:
        numbers = value["layers"][layer]
        if numbers.get("count"):
            rows.append((layer, " ".join(f"{numbers[name]:8.1f}" for name in names)))
    colds, statuses = value["cold_starts"], ", ".join(f"{k}: {n}" for k, n in value["statuses"].items())
    rows.append(
        ("requests", f"{len(value['requests'])}, {value['per_second']:g} a second, status {statuses}")
    )
    if colds["count"]:
        rows.append(("cold starts", f"{colds['count']}, median {colds['median']:.0f} ms (Init Duration)"))
    rows.append(("mind", "medians of the parts need not add up to the median of the whole; means do"))
    if remark := likeaws.remark(value["about"]):
        rows.append(("mind", remark))
    if value["about"].get("like"):
        rows += [("" if n else "declared", line) for n, line in enumerate(likeaws.in_words())]
    return tuple(rows)


def _predicted(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    expected, median = value["about"].get("expected_median_ms"), value["layers"]["client"].get("median")
    if expected is None:
        return (("prediction", "none; next time:  ./lab measure --expect MS"),)
    if median is None:
        return (
            ("prediction", f"{expected:g} ms; no request succeeded, so there is nothing to lay beside it"),
        )
    return (("prediction", f"{expected:g} ms; measured {median:.1f} ms: {median / expected:.2g} times that"),)


def _money(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    mean = value["layers"]["function"].get("mean")
    if mean is None:
        return ()
    told = f"question 4 asks what your function's mean of {mean:.1f} ms costs; memory {value['about']['memory_mb']} MB"
    return (("a million", told),)
