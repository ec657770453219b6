"""The resources of a call, as ARNs, for services whose actions are named like their operations.

What belongs here: parameters → ARNs for lambda, logs, iam, sts, ssm, cloudformation and ec2. What
does not: S3 and DynamoDB (modules of their own). AWS: "Service authorization reference".
"""

import re
from collections.abc import Callable, Sequence

from labkit.aws.iam.calls import ApiCall, Known

_EC2_ID = re.compile(r"([a-z]+)-[0-9a-f]{8,17}").fullmatch
_EC2_TYPES = {
    "i": "instance",
    "vpc": "vpc",
    "subnet": "subnet",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "eni": "network-interface",
    "vol": "volume",
    "ami": "image",
    "vpce": "vpc-endpoint",
    "eipalloc": "elastic-ip",
    "acl": "network-acl",
    "nat": "natgateway",
    "snap": "snapshot",
    "lt": "launch-template",
}
#: operation → what it makes, which no id names yet
_EC2_MADE = {
    "RunInstances": ("instance", "network-interface", "volume"),
    "CreateVpc": ("vpc",),
    "CreateSubnet": ("subnet",),
    "CreateSecurityGroup": ("security-group",),
    "CreateRouteTable": ("route-table",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateNetworkAcl": ("network-acl",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateNatGateway": ("natgateway",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateVolume": ("volume",),
    "AllocateAddress": ("elastic-ip",),
}
#: what holds something comes before what it holds: a role is added to a profile, a user to a group
_IAM_NAMED = (
    ("InstanceProfileName", "instance-profile"),
    ("GroupName", "group"),
    ("RoleName", "role"),
    ("UserName", "user"),
)
_IAM_CREATES = {"CreateRole", "CreateUser", "CreateGroup", "CreateInstanceProfile"}
_IAM_LISTS = {"ListRoles": "role/", "ListUsers": "user/", "ListGroups": "group/", "ListPolicies": "policy/"}


def resources(call: ApiCall, known: Known) -> Sequence[str]:
    """The ARNs of what the call wants to touch; "*" where AWS knows no resource, or we don't."""
    if call.service == "iam":
        return _iam(call, known) or ("*",)
    find = _FINDERS.get(call.service)
    return (find(call) if find else ()) or ("*",)


def _lambda(call: ApiCall) -> Sequence[str]:
    name = call.text("FunctionName")
    if not name:
        return [call.text("Resource")] if call.text("Resource") else []
    if name.startswith("arn:"):
        return [name]
    name = name.rpartition("function:")[2]  # a partial ARN: account:function:name
    qualifier = call.text("Qualifier")
    return [call.arn(f"function:{name}" + (f":{qualifier}" if qualifier else ""))]


def _logs(call: ApiCall) -> Sequence[str]:
    """A group is known to policies as its streams (CloudWatch Logs: "Log group ARN formats")."""
    arn = call.text("resourceArn") or call.text("logGroupIdentifier")
    if arn.startswith("arn:"):
        return [arn]
    group = call.text("logGroupName") or call.text("logGroupIdentifier")
    stream = call.text("logStreamName")
    if not group and call.operation != "DescribeLogGroups":
        return []
    return [call.arn(f"log-group:{group}:log-stream:{stream}")]


def iam_arn(call: ApiCall, kind: str, name: str, known: Known) -> str:
    """The ARN of a role, user, group or instance profile, with its path (IAM user guide: "IAM identifiers")."""
    if call.operation in _IAM_CREATES:
        path = call.text("Path") or "/"
    elif "ServiceLinkedRole" in call.operation:
        path = "/aws-service-role/*/"
    else:
        path = known.iam_path(kind, name)
    return call.arn(f"{kind}{path}{name}", region="")


def _iam(call: ApiCall, known: Known) -> Sequence[str]:
    for parameter, kind in _IAM_NAMED:
        if call.text(parameter):
            return [iam_arn(call, kind, call.text(parameter), known)]
    if call.text("PolicyArn"):
        return [call.text("PolicyArn")]
    if call.operation == "CreatePolicy":
        return [call.arn(f"policy{call.text('Path') or '/'}{call.text('PolicyName')}", region="")]
    if call.text("AWSServiceName"):
        return [call.arn(f"role/aws-service-role/{call.text('AWSServiceName')}/*", region="")]
    listed = _IAM_LISTS.get(call.operation)
    return [call.arn(listed, region="")] if listed else []


def _sts(call: ApiCall) -> Sequence[str]:
    return [call.text("RoleArn")] if call.text("RoleArn") else []


def _ssm(call: ApiCall) -> Sequence[str]:
    if "Parameter" not in call.operation:
        return []
    listed = call.parameters.get("Names")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    names += [name for name in (call.text("Name"), call.text("Path")) if name]
    return [_parameter(call, name) for name in names]


def _parameter(call: ApiCall, name: str) -> str:
    if name.startswith("arn:"):
        return name
    public = name.startswith("/aws/service/")  # AWS's own parameters belong to no account
    return call.arn(f"parameter/{name.removeprefix('/')}", account="" if public else None)


def _cloudformation(call: ApiCall) -> Sequence[str]:
    name = call.text("StackName") or call.text("StackId")
    if not name:
        return []
    return [name] if name.startswith("arn:") else [call.arn(f"stack/{name}/*")]


def _ec2(call: ApiCall) -> Sequence[str]:
    if call.operation.startswith("Describe"):
        return []
    found = [_ec2_arn(call, value) for value in call.parameters.values() if isinstance(value, str)]
    arns = list(dict.fromkeys(arn for arn in found if arn))
    return arns + [call.arn(f"{kind}/*") for kind in _EC2_MADE.get(call.operation, ())]


def _ec2_arn(call: ApiCall, value: str) -> str:
    match = _EC2_ID(value)
    kind = _EC2_TYPES.get(match[1]) if match else None
    if kind is None:
        return ""
    return call.arn(f"{kind}/{value}", account="" if kind == "image" else None)


_FINDERS: dict[str, Callable[[ApiCall], Sequence[str]]] = {
    "lambda": _lambda,
    "logs": _logs,
    "sts": _sts,
    "ssm": _ssm,
    "cloudformation": _cloudformation,
    "ec2": _ec2,
}
