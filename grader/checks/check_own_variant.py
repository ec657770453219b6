"""Line own-variant."""

import re
from collections.abc import Iterator, Mapping

from grader.support import user_data
from labkit.grading.api import Failed, Lab, lost


def check(lab: Lab) -> None:
    """Names, network, port, token and tags are your own values.

    Two labs with the same names or networks can't live in one account, and a bill without a tag belongs to nobody.
    """
    holding, missing = lost([*_names(lab), *_network(lab), *_script(lab), *_tags(lab)])
    if holding < 1:
        raise Failed(
            f"not your own: {missing}", hint="put your own values back: they are the defaults of a fresh template",
            expected=f"{lab.variant.name}, {lab.variant.vpc_cidr}, port {lab.variant.port}", found=missing,
        )  # fmt: skip


#: it only reads
live = check


def _names(lab: Lab) -> Iterator[tuple[bool, str]]:
    for output in ("LambdaFunctionName", "BucketName", "TableName"):
        name = lab.output(output)
        yield name.startswith(f"{lab.variant.name}-"), f"{output} is {name}"


def _network(lab: Lab) -> Iterator[tuple[bool, str]]:
    ec2, server = lab.clients.client("ec2"), lab.server.description
    (vpc,) = ec2.describe_vpcs(VpcIds=[server["VpcId"]])["Vpcs"]
    (subnet,) = ec2.describe_subnets(SubnetIds=[server["SubnetId"]])["Subnets"]
    yield vpc["CidrBlock"] == lab.variant.vpc_cidr, f"the network is {vpc['CidrBlock']}"
    yield subnet["CidrBlock"] == lab.variant.subnet_cidr, f"the subnet is {subnet['CidrBlock']}"


def _script(lab: Lab) -> Iterator[tuple[bool, str]]:
    """Port and token as the server got them in its user data."""
    text = user_data.script(lab)
    yield _gives(text, "LAB_TOKEN", lab.variant.lab_token), "the boot script has another token"
    yield _gives(text, "PORT", str(lab.variant.port)), "the boot script has another port"


def _gives(script: str, name: str, value: str) -> bool:
    """Whether the script sets `name` to this value alone or, where it sets it to none, holds it as a word."""
    given = user_data.values(script, name)
    return given == {value} if given else bool(re.search(rf"\b{value}\b", script))


def _tags(lab: Lab) -> Iterator[tuple[bool, str]]:
    for what, tags in _tagged(lab):
        wrong = [key for key, value in lab.variant.tags().items() if tags.get(key) != value]
        yield not wrong, f"the {what} has no or another tag {', '.join(wrong)}"


def _tagged(lab: Lab) -> Iterator[tuple[str, Mapping[str, str]]]:
    server = lab.server.description
    ec2, within = lab.clients.client("ec2"), [{"Name": "vpc-id", "Values": [server["VpcId"]]}]
    (vpc,) = ec2.describe_vpcs(VpcIds=[server["VpcId"]])["Vpcs"]
    yield "server", _plain(server.get("Tags", []))
    yield "network", _plain(vpc.get("Tags", []))
    for subnet in ec2.describe_subnets(Filters=within)["Subnets"]:
        yield "subnet", _plain(subnet.get("Tags", []))
    for group in ec2.describe_security_groups(Filters=within)["SecurityGroups"]:
        if group["GroupName"] != "default":
            yield "security group", _plain(group.get("Tags", []))
    arn = lab.function.configuration["FunctionArn"]
    yield "function", lab.clients.client("lambda").list_tags(Resource=arn).get("Tags", {})
    answer = lab.aws(lab.clients.client("s3").get_bucket_tagging, Bucket=lab.bucket.name)
    yield "bucket", _plain(answer["TagSet"] if isinstance(answer, dict) else [])


def _plain(tags: list[Mapping[str, str]]) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
