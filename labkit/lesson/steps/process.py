"""Step 05: pictures through function, server, S3 and DynamoDB, and what stands there afterwards.

What belongs here: this step's work and checks. What does not: explaining a failure (labkit.lesson.path.diagnosis).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from labkit.course import answers, course
from labkit.lesson import aws, proving
from labkit.lesson.context import Context
from labkit.lesson.help import byhand
from labkit.lesson.measuring import likeaws, pictures
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.path import diagnosis, privileges
from labkit.lesson.path.invoking import Answer, invoke
from labkit.lesson.screens import mend, where
from labkit.lesson.steps import wire

OPTIONS = ("engine", "watch", "image", "target", "region")
JUDGES: Judged = "deployed"

TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}


@dataclass(frozen=True)
class Sent:
    """A picture that went in, and what the function answered."""

    picture: pictures.Picture
    url: str
    answer: Answer


def run(context: Context) -> StepResult:
    """Call /health through the function, send each picture and compare what was stored, then try the gaps met so far."""
    chosen = pictures.collect(context.options.images or _samples(context))
    outputs = context.deployed().outputs
    first = _health(context, outputs)
    if not first.passed:
        return StepResult((first,))
    checks, times = [first], []
    for number, picture in enumerate(chosen, 1):
        context.progress(picture.name, number - 1, len(chosen))
        sent = _send(context, outputs, picture)
        if sent.answer.status == 200:
            times.append(sent.answer.seconds)
        checks.append(_judge(context, outputs, sent))
        context.progress(picture.name, number, len(chosen))
        if checks[-1].gap and number < len(chosen):
            context.note("The other pictures are not sent: they would stop at the same place.")
            break
    if all(each.passed for each in checks) and not context.own_role:  # which the account brings: not theirs
        checks.append(privileges.check(context, outputs))
    if all(each.passed for each in checks):
        checks += proving.prove(context, "process")
    answers.begin(context.workspace.path, course.load(context.manifest).questions)
    data = {"seconds": [round(t, 4) for t in times]}
    about = {"target": context.target, "rehearsal": aws.is_rehearsed()}
    log = f"a cold start's REPORT line into work/{context.workspace.path.name}/{answers.FILE} (1 point)"
    facts = (*_facts(outputs, times, sent.answer.request_id, likeaws.remark(about)), ("Write down", log))
    return StepResult(tuple(checks), facts, data, byhand.process(outputs, sent.url))


def check(context: Context) -> StepResult:
    """The path to the server, without sending a picture; what is known of the gaps counts."""
    return StepResult((_health(context, context.deployed().outputs), *proving.known(context, "process")))


def _samples(context: Context) -> tuple[str, ...]:
    return tuple(str(path) for path in context.manifest.images)


def _health(context: Context, outputs: Mapping[str, str]) -> CheckResult:
    """The path as step 04 sees it, as one check."""
    stops = next((c for c in wire.look(context, outputs).checks if not c.passed), None)
    name = "your function reaches your server"
    return replace(stops, name=name) if stops else CheckResult(name, True)


def _send(context: Context, outputs: Mapping[str, str], picture: pictures.Picture) -> Sent:
    url = context.place.publish(outputs, picture.name, picture.data)
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"image_url": url})
    return Sent(picture, url, answer)


def _judge(context: Context, outputs: Mapping[str, str], sent: Sent) -> CheckResult:
    """One picture: answered, stored byte for byte, and recorded."""
    name = f"{sent.picture.name} is stored and recorded"
    result = sent.answer.body.get("result")
    if sent.answer.status != 200 or not isinstance(result, Mapping):
        found = diagnosis.explain(context, outputs, sent.answer)
        return CheckResult(
            name,
            False,
            found.reason,
            _next(context, found, sent.answer.status),
            gap=found.gap,
            symptom=found.symptom,
            details=found.details,
        )
    wrong = _wrong_object(context, outputs, sent, result) or _wrong_row(context, outputs, sent, result)
    if wrong:
        gap, reason = wrong
        return CheckResult(name, False, reason, where(context, gap), gap=gap)
    return CheckResult(
        f"{name} ({len(sent.picture.data):,} bytes, {1000 * sent.answer.seconds:.0f} ms)", True
    )


def _next(context: Context, found: diagnosis.Diagnosis, status: int) -> str:
    if not found.gap and status == 400:
        return "Your server refuses this picture. Send another:  ./lab process --image FILE"
    return (
        mend(context, found.gap) if found.symptom == "code" and found.details else where(context, found.gap)
    )


def _wrong_object(
    context: Context, outputs: Mapping[str, str], sent: Sent, result: Mapping[str, Any]
) -> tuple[str, str] | None:
    """(gap, reason) when S3 does not hold the picture as promised."""
    from botocore.exceptions import ClientError

    prefix = f"s3://{outputs['BucketName']}/"
    location = str(result.get("s3_location", ""))
    key = location.removeprefix(prefix)
    if not location.startswith(f"{prefix}{context.workspace.variant.prefix}/"):
        return (
            "store",
            f"s3_location is {location or 'missing'}, not {prefix}{context.workspace.variant.prefix}/…",
        )
    try:
        stored = context.clients.client("s3").get_object(Bucket=outputs["BucketName"], Key=key)
    except ClientError as error:
        return "store", f"the answer names {location}, but S3 says {error.response['Error']['Code']}"
    if stored["Body"].read() != sent.picture.data:
        return "store", f"the bytes stored in {location} are not those of the picture"
    wanted = TYPES.get(key.rsplit(".", 1)[-1])
    if stored["ContentType"] != wanted:
        return "store", f"the content type of {location} is {stored['ContentType']}, not {wanted}"
    return None


def _wrong_row(
    context: Context, outputs: Mapping[str, str], sent: Sent, result: Mapping[str, Any]
) -> tuple[str, str] | None:
    """(gap, reason) when DynamoDB's row does not agree with the picture."""
    identifier = str(result.get("image_id", ""))
    api = context.clients.client("dynamodb")
    row = api.get_item(TableName=outputs["TableName"], Key={"image_id": {"S": identifier}}).get("Item")
    if row is None:
        return "record", f"no row has the image_id {identifier}"
    wanted = {
        "status": {"S": "processed"},
        "sha256": {"S": hashlib.sha256(sent.picture.data).hexdigest()},
        "file_size": {"N": str(len(sent.picture.data))},
        "original_url": {"S": sent.url},
        "lab_token": {"S": context.workspace.variant.lab_token},
    }
    for attribute, value in wanted.items():
        if row.get(attribute) != value:
            return "record", f"the row's {attribute} is {row.get(attribute, 'missing')}, not {value}"
    return None


def _facts(
    outputs: Mapping[str, str], times: list[float], request_id: str, remark: str
) -> tuple[tuple[str, str], ...]:
    facts = (("Bucket", outputs["BucketName"]), ("Table", outputs["TableName"]), ("Last request", request_id))
    if not times:
        return facts
    median = f"{1000 * sorted(times)[len(times) // 2]:.0f} ms"
    return (*facts, ("Median", f"{median} ({remark})" if remark else median))
