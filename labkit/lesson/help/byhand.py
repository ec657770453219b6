"""The commands that do by hand what a step does: printed by the steps, pasted into ./lab shell.

What belongs here: command lines for the engine that the student works with. What does not: running them. Every
line works when pasted, also after the kit has done the same (a test pastes them all). Paths begin at the
lab's folder, where that shell starts.
"""

import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from labkit.course.build import FOLDER
from labkit.deploy.cloudformation import TEMPLATE
from labkit.lesson.context import Context

Lines = tuple[str, ...]
#: what an 80-column terminal holds, less the screen's indent and " \\"
_WIDTH = 76
_BREAKS = re.compile(r" (?=--[a-z-]+(?: |$)|answer\.json )")


def plan(context: Context, engine: str) -> Lines:
    """Checking the files, and what would happen."""
    if engine == "terraform":
        return _lines(*(f"{_terraform(context)} {verb}" for verb in ("init", "validate", "plan")))
    body = _template(context, "file://")
    return _lines(f"aws cloudformation validate-template --template-body {body}")


def deploy(context: Context) -> Lines:
    """Creating or changing everything, then looking at what came to be."""
    if context.engine_name == "terraform":
        return _lines(f"{_terraform(context)} apply -auto-approve", f"{_terraform(context)} output")
    stack = f"--stack-name {context.source.name}"
    return _lines(
        f"aws cloudformation deploy {stack} --template-file {_template(context)} "
        "--capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset",
        f"aws cloudformation describe-stack-events {stack} --max-items 5",
        f"aws cloudformation describe-stack-resources {stack}",
    )


def wire(outputs: Mapping[str, str]) -> Lines:
    """Calling /health through the function."""
    return _lines(_invoke(outputs, shlex.quote('{"action": "health"}')))


def process(outputs: Mapping[str, str], url: str) -> Lines:
    """Sending one image, then looking into the bucket and the table."""
    group = f"/aws/lambda/{outputs['LambdaFunctionName']}"
    return _lines(
        *_send(outputs, url),
        f"aws s3 ls s3://{outputs['BucketName']} --recursive",
        f"aws dynamodb scan --table-name {outputs['TableName']} --max-items 1",
        f"aws logs filter-log-events --log-group-name {group} --max-items 5",
    )


def look(outputs: Mapping[str, str]) -> Lines:
    """Reading what a fault of step 06 may have changed."""
    here = f"--filters Name=vpc-id,Values={outputs['VpcId']}"
    return _lines(
        f"aws ec2 describe-security-groups {here}",
        f"aws ec2 describe-route-tables {here}",
        f"aws ec2 describe-network-acls {here}",
        f"aws lambda get-function-configuration --function-name {outputs['LambdaFunctionName']}",
        f"aws s3api get-bucket-policy --bucket {outputs['BucketName']}",
        f"aws dynamodb describe-table --table-name {outputs['TableName']}",
    )


def destroy(context: Context) -> Lines:
    """Deleting everything, then looking for what is left: empty answers are good ones."""
    mine = f"--filters Name=tag:lab:variant,Values={context.workspace.variant.code}"
    gone = f"aws cloudformation delete-stack --stack-name {context.source.name}"
    if context.wanted_engine == "terraform":
        gone = f"{_terraform(context)} destroy -auto-approve"
    return _lines(
        gone,
        f"aws ec2 describe-vpcs {mine}",
        f"aws ec2 describe-instances {mine}",
        "aws s3 ls",
        "aws dynamodb list-tables",
        "aws lambda list-functions",
    )


def _send(outputs: Mapping[str, str], url: str) -> Lines:
    """Sending the image at `url`; a presigned one is made anew: it is long, and whoever reads it may use it."""
    parts = urlsplit(url)
    if "X-Amz-Signature" not in parts.query:
        return (_invoke(outputs, shlex.quote(f'{{"image_url": "{url}"}}')),)
    presign = f'URL="$(aws s3 presign s3://{outputs["BucketName"]}{parts.path})"'
    return (presign, _invoke(outputs, '"{\\"image_url\\": \\"$URL\\"}"'))


def _invoke(outputs: Mapping[str, str], payload: str) -> str:
    return (
        f"aws lambda invoke --function-name {outputs['LambdaFunctionName']} --cli-binary-format "
        f"raw-in-base64-out --payload {payload} answer.json && cat answer.json"
    )


def _folder(context: Context) -> str:
    return str(context.workspace.path.relative_to(context.places.base))


def _template(context: Context, before: str = "") -> str:
    return shlex.quote(f"{before}{_folder(context)}/{FOLDER}/{TEMPLATE}")


def _terraform(context: Context) -> str:
    return f"terraform -chdir={shlex.quote(_folder(context))}"


def _lines(*commands: str) -> Lines:
    return tuple(line for command in commands for line in broken(command))


def broken(command: str) -> Lines:
    """The command in lines that a terminal of 80 columns shows whole, broken before options as a shell joins them."""
    first, *rest = _BREAKS.split(command)
    lines = [first]
    for part in rest:
        if len(lines[-1]) + 1 + len(part) <= _WIDTH:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(f"  {part}")
    return tuple(lines)
