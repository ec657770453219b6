"""Attack your own lab: eight attempts, predicted first, then really made.

What belongs here: the attempts and how each is tried. What does not: grading them (nothing here has points).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.base.errors import UsageError
from labkit.deploy.targets import Clients, Keys
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, StepResult
from labkit.lesson.path.invoking import invoke

Outputs = Mapping[str, str]


@dataclass(frozen=True)
class Attempt:
    """One attempt: what it is, and whether it succeeded when made."""

    text: str
    works: Callable[[Context, Outputs], bool]


def run(context: Context, outputs: Outputs, predicted: str) -> StepResult:
    """Make all attempts; compare with the prediction, y or n for each. Raises UsageError for another text, and on AWS."""
    if context.on_aws:
        raise UsageError(
            "The attack is for the local cloud: it needs the server's own keys, and packets from a stranger in your VPC.",
            hint="Attack at home:  ./lab break --target local --attack nnnnynnn",
        )
    if len(predicted) != len(ATTEMPTS) or set(predicted.lower()) - {"y", "n"}:
        listed = "\n".join(f"{number} {attempt.text}" for number, attempt in enumerate(ATTEMPTS, 1))
        raise UsageError(
            f"Eight letters, y (it will work) or n (it will not), one for each:\n{listed}",
            hint="For example:  ./lab break --attack nnnnynnn",
        )
    checks = []
    for attempt, guess in zip(ATTEMPTS, predicted.lower(), strict=True):
        worked = attempt.works(context, outputs)
        words = f"{attempt.text}: {'it worked' if worked else 'refused'}"
        guessed = "as you predicted" if worked == (guess == "y") else "you predicted otherwise"
        hint = "Which gap should have closed this?  ./lab gap" if worked else ""
        checks.append(
            CheckResult(f"{words} ({guessed})", not worked, "it should not" if worked else "", hint)
        )
    return StepResult(tuple(checks))


def _as_server(context: Context) -> Clients:
    """Clients with the credentials that the server's role has."""
    from botocore.exceptions import ClientError

    role = f"{context.workspace.variant.name}-lab-server"
    try:
        context.clients.client("iam").get_role(RoleName=role)
    except ClientError as error:
        raise UsageError(f"The role {role} is not there.", hint="Deploy first:  ./lab deploy") from error
    keys = context.cloud.ask("POST", "credentials", json.dumps({"role": role}).encode())
    return Clients(
        context.clients.target,
        Keys(keys["access_key_id"], keys["secret_access_key"], keys["session_token"]),
    )


def _allowed(call: Callable[[], object]) -> bool:
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError:
        return False
    return True


def _other_bucket(context: Context, outputs: Outputs) -> bool:
    name = f"{context.workspace.variant.name}-somebody-elses"
    s3 = context.clients.client("s3")
    place = {"LocationConstraint": context.region}
    # S3 takes no constraint for the region that it began with (API reference, CreateBucket)
    s3.create_bucket(
        Bucket=name, **({} if context.region == "us-east-1" else {"CreateBucketConfiguration": place})
    )
    try:
        return _allowed(lambda: _as_server(context).client("s3").list_objects_v2(Bucket=name))
    finally:
        s3.delete_bucket(Bucket=name)


def _delete_table(context: Context, outputs: Outputs) -> bool:
    """Asked about a table that does not exist: access control answers before that is found out."""
    from botocore.exceptions import ClientError

    try:
        _as_server(context).client("dynamodb").delete_table(TableName=f"{outputs['TableName']}-x")
    except ClientError as error:
        return bool(error.response["Error"]["Code"] != "AccessDeniedException")
    return True


def _anonymous(context: Context, outputs: Outputs) -> bool:
    import urllib3

    url = f"{context.clients.target.endpoint_url}/{outputs['BucketName']}?list-type=2"
    return urllib3.request("GET", url, retries=False, timeout=5).status == 200


def _ssh(context: Context, outputs: Outputs) -> bool:
    return _packet(context, {}, outputs["InstancePublicIp"], 22)


def _stranger(context: Context, outputs: Outputs) -> bool:
    instance = context.clients.client("ec2").describe_instances(InstanceIds=[outputs["InstanceId"]])
    subnet = instance["Reservations"][0]["Instances"][0]["SubnetId"]
    place = {"vpc": outputs["VpcId"], "subnet": subnet, "groups": []}
    return _packet(context, place, outputs["InstancePrivateIp"], context.workspace.variant.port)


def _packet(context: Context, place: Mapping[str, Any], address: str, port: int) -> bool:
    asked = {"place": place, "address": address, "ports": [port]}
    [packet] = context.cloud.ask("POST", "packets", json.dumps(asked).encode())
    return bool(packet["outcome"] == "open")


def _imds_v1(context: Context, outputs: Outputs) -> bool:
    words = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://169.254.169.254/latest/meta-data/",
    ]
    return context.place.output_inside(outputs["InstanceId"], words)[1].strip() == "200"


def _through(url: str) -> Callable[[Context, Outputs], bool]:
    def works(context: Context, outputs: Outputs) -> bool:
        answer = invoke(context.clients, outputs["LambdaFunctionName"], {"image_url": url})
        return answer.status not in (400, 0)

    return works


ATTEMPTS = (
    Attempt("your server lists another bucket of the account", _other_bucket),
    Attempt("your server deletes a table", _delete_table),
    Attempt("a stranger lists your bucket without credentials", _anonymous),
    Attempt("SSH from the internet", _ssh),
    Attempt("the server's keys by the old metadata service (IMDSv1)", _imds_v1),
    Attempt("another machine in your VPC calls your port", _stranger),
    Attempt(
        "an image URL that is the metadata service", _through("http://169.254.169.254/latest/meta-data/")
    ),
    Attempt("an image URL file:///etc/passwd", _through("file:///etc/passwd")),
)
