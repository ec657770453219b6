"""The commands that do by hand what a step does: printed by the steps, pasted into ./lab shell.

What belongs here: command lines for the engine that the student works with. What does not: running them. Every
line works when pasted, also after the kit has done the same (a test pastes them all). Paths begin at the
lab's folder, where that shell starts.
"""

import shlex
from collections.abc import Mapping

from labkit.build import FOLDER
from labkit.deploy.cloudformation import TEMPLATE
from labkit.lesson.context import Context

Lines = tuple[str, ...]


def plan(context: Context) -> Lines:
    """Checking the files, and what would happen."""
    if context.engine_name == "terraform":
        return (
            f"{_terraform(context)} init",
            f"{_terraform(context)} validate",
            f"{_terraform(context)} plan",
        )
    return (f"aws cloudformation validate-template --template-body {_template(context, 'file://')}",)


def deploy(context: Context) -> Lines:
    """Creating or changing everything, then looking at what came to be."""
    if context.engine_name == "terraform":
        return (f"{_terraform(context)} apply -auto-approve", f"{_terraform(context)} output")
    name = context.source.name
    return (
        f"aws cloudformation deploy --stack-name {name} \\",
        f"  --template-file {_template(context)} \\",
        "  --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset",
        f"aws cloudformation describe-stack-events --stack-name {name} --max-items 5",
        f"aws cloudformation describe-stack-resources --stack-name {name}",
    )


def wire(outputs: Mapping[str, str]) -> Lines:
    """Calling /health through the function."""
    return _invoke(outputs, '{"action": "health"}')


def process(outputs: Mapping[str, str], url: str) -> Lines:
    """Sending one image, then looking into the bucket and the table."""
    bucket, table = outputs["BucketName"], outputs["TableName"]
    return (
        *_invoke(outputs, f'{{"image_url": "{url}"}}'),
        f"aws s3 ls s3://{bucket} --recursive",
        f"aws dynamodb scan --table-name {table} --max-items 1",
        f"aws logs filter-log-events --log-group-name /aws/lambda/{outputs['LambdaFunctionName']} --max-items 5",
    )


def look(outputs: Mapping[str, str]) -> Lines:
    """Reading what a fault of step 06 may have changed."""
    here = f"--filters Name=vpc-id,Values={outputs['VpcId']}"
    return (
        f"aws ec2 describe-security-groups {here}",
        f"aws ec2 describe-route-tables {here}",
        f"aws ec2 describe-network-acls {here}",
        f"aws lambda get-function-configuration --function-name {outputs['LambdaFunctionName']}",
        f"aws s3api get-bucket-policy --bucket {outputs['BucketName']}",
        f"aws dynamodb describe-table --table-name {outputs['TableName']}",
    )


def destroy(context: Context) -> Lines:
    """Deleting everything, then looking for what is left: empty answers are good ones."""
    code, name = context.workspace.variant.code, context.source.name
    gone = f"aws cloudformation delete-stack --stack-name {name}"
    if context.engine_name == "terraform":
        gone = f"{_terraform(context)} destroy -auto-approve"
    return (
        gone, f"aws ec2 describe-vpcs --filters Name=tag:lab:variant,Values={code}",
        f"aws ec2 describe-instances --filters Name=tag:lab:variant,Values={code}", "aws s3 ls",
        "aws dynamodb list-tables", "aws lambda list-functions",
    )  # fmt: skip


def _invoke(outputs: Mapping[str, str], payload: str) -> Lines:
    return (
        f"aws lambda invoke --function-name {outputs['LambdaFunctionName']} \\",
        f"  --cli-binary-format raw-in-base64-out --payload {shlex.quote(payload)} \\",
        "  answer.json && cat answer.json",
    )


def _folder(context: Context) -> str:
    return str(context.workspace.path.relative_to(context.places.base))


def _template(context: Context, before: str = "") -> str:
    return shlex.quote(f"{before}{_folder(context)}/{FOLDER}/{TEMPLATE}")


def _terraform(context: Context) -> str:
    return f"terraform -chdir={shlex.quote(_folder(context))}"
