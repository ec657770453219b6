"""Step 05: pictures through function, server, S3 and DynamoDB, and what stands there afterwards.

What belongs here: this step's work and checks. What does not: explaining a failure (labkit.lesson.diagnosis).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.events import Event
from labkit.lesson import diagnosis, pictures
from labkit.lesson.context import Context
from labkit.lesson.invoking import Answer, invoke
from labkit.lesson.model import CheckResult, StepResult

TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}


@dataclass(frozen=True)
class Sent:
    """A picture that went in, and what the function answered."""

    picture: pictures.Picture
    url: str
    answer: Answer


def run(context: Context) -> StepResult:
    """Call /health through the function, then send each picture and compare what was stored."""
    chosen = pictures.collect(context.options.images or _samples(context))
    outputs = context.deployed().outputs
    first = _health(context, outputs)
    if not first.passed:
        return StepResult((first,))
    _warn_when_files_differ(context)
    checks, times = [first], []
    for number, picture in enumerate(chosen, 1):
        context.progress(picture.name, number - 1, len(chosen))
        sent = _send(context, outputs, picture)
        times.append(sent.answer.seconds)
        checks.append(_judge(context, outputs, sent))
        context.progress(picture.name, number, len(chosen))
    data = {"seconds": [round(t, 4) for t in times]}
    return StepResult(tuple(checks), _facts(context, outputs, times), data)


def check(context: Context) -> StepResult:
    """The path to the server, without sending a picture."""
    return StepResult((_health(context, context.deployed().outputs),))


def _samples(context: Context) -> tuple[str, ...]:
    return tuple(str(path) for path in context.manifest.images)


def _health(context: Context, outputs: Mapping[str, str]) -> CheckResult:
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"action": "health"})
    if answer.status == 200:
        return CheckResult("your function reaches your server", True)
    scene = diagnosis.look(context.clients, outputs, context.workspace.variant.port)
    log = context.cloud.instance(outputs["InstanceId"]).get("log", [])
    return diagnosis.health(answer, scene, log)


def _warn_when_files_differ(context: Context) -> None:
    if context.workspace.record.deployed.get("fingerprint") != context.workspace.fingerprint():
        text = (
            "Your files were changed after the last deployment; this judges what is deployed (./lab deploy)."
        )
        context.emit(Event("warning", text))


def _send(context: Context, outputs: Mapping[str, str], picture: pictures.Picture) -> Sent:
    url = context.cloud.publish(picture.name, picture.data)
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"image_url": url})
    return Sent(picture, url, answer)


def _judge(context: Context, outputs: Mapping[str, str], sent: Sent) -> CheckResult:
    """One picture: answered, stored byte for byte, and recorded."""
    name = f"{sent.picture.name} is stored and recorded"
    result = sent.answer.body.get("result")
    if sent.answer.status != 200 or not isinstance(result, Mapping):
        gap, reason = diagnosis.refusal(sent.answer)
        return CheckResult(name, False, reason, _next(gap, sent.answer.status), gap=gap)
    wrong = _wrong_object(context, outputs, sent, result) or _wrong_row(context, outputs, sent, result)
    if wrong:
        gap, reason = wrong
        return CheckResult(name, False, reason, f"Look at the gap {gap}, then:  ./lab deploy", gap=gap)
    return CheckResult(
        f"{name} ({len(sent.picture.data):,} bytes, {1000 * sent.answer.seconds:.0f} ms)", True
    )


def _next(gap: str, status: int) -> str:
    if gap:
        return f"Write the gap {gap}, then:  ./lab deploy"
    if status == 400:
        return "Your server refuses this picture. Send another:  ./lab process --image FILE"
    return "Read the reason, mend your files, then:  ./lab deploy"


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


def _facts(context: Context, outputs: Mapping[str, str], times: list[float]) -> tuple[tuple[str, str], ...]:
    middle = sorted(times)[len(times) // 2]
    return (
        ("Bucket", outputs["BucketName"]),
        ("Table", outputs["TableName"]),
        ("Middle of the times", f"{1000 * middle:.0f} ms (this machine, no network; on AWS expect hundreds)"),
    )
