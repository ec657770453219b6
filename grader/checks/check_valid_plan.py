"""Line valid-plan."""

from grader.support.stated import kinds
from labkit.base.errors import TemplateError
from labkit.course.build import build
from labkit.grading.api import Failed, Lab

#: what the lab consists of: CloudFormation's type, Terraform's
_NEEDED = {
    "network": ("AWS::EC2::VPC", "aws_vpc"),
    "subnet": ("AWS::EC2::Subnet", "aws_subnet"),
    "internet gateway": ("AWS::EC2::InternetGateway", "aws_internet_gateway"),
    "route table": ("AWS::EC2::RouteTable", "aws_route_table"),
    "security group": ("AWS::EC2::SecurityGroup", "aws_security_group"),
    "bucket": ("AWS::S3::Bucket", "aws_s3_bucket"),
    "table": ("AWS::DynamoDB::Table", "aws_dynamodb_table"),
    "role": ("AWS::IAM::Role", "aws_iam_role"),
    "server": ("AWS::EC2::Instance", "aws_instance"),
    "log group": ("AWS::Logs::LogGroup", "aws_cloudwatch_log_group"),
    "function": ("AWS::Lambda::Function", "aws_lambda_function"),
}


def check(lab: Lab) -> None:
    """Your files are valid, and their plan lists what the lab consists of.

    A plan costs nothing and shows mistakes before anything is created.
    """
    _build(lab)
    lab.system.plan()
    there = kinds(lab)
    missing = [what for what, names in _NEEDED.items() if not there & set(names)]
    if missing:
        raise Failed(
            f"your plan lists no {', no '.join(missing)}",
            hint="./lab plan shows what your files would create",
            expected=", ".join(_NEEDED), found=f"missing: {', '.join(missing)}",
        )  # fmt: skip


def _build(lab: Lab) -> None:
    """What the files are made into, before any engine sees them."""
    try:
        build({name: text.encode() for name, text in lab.files.items()}, lab.variant)
    except TemplateError as error:
        raise Failed(
            f"your files can't be built: {error.message}", hint=error.hint, expected="files that can be built"
        ) from error
