"""What permissions a call of the AWS API needs.

What belongs here: operation → IAM actions, and the roles that a call passes on. What does not: who
has them (labkit.aws.iam.evaluator). AWS: "Service authorization reference"; IAM user guide:
"Granting a user permissions to pass a role to an AWS service".
"""

from collections.abc import Callable

from labkit.aws.iam.calls import ApiCall, Known, Need
from labkit.aws.iam.dynamodb import dynamodb_needs
from labkit.aws.iam.resources import iam_arn, resources
from labkit.aws.iam.s3 import s3_needs

#: services whose actions do not begin with their signing name
_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}
#: operations that every signed caller may use, whatever its policies say (AWS STS API reference)
_FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken"), ("sts", "AssumeRoleWithWebIdentity")}
_LAMBDA = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}
_LAMBDA |= {"InvokeWithResponseStream": "InvokeFunction"}

_Needs = Callable[[ApiCall], list[Need]]
_OWN: dict[str, _Needs] = {"s3": s3_needs, "dynamodb": dynamodb_needs}

_EC2_PROFILES = ("IamInstanceProfile.Name", "IamInstanceProfile.Arn")


def needs(call: ApiCall, known: Known) -> list[Need]:
    """The permissions that `call` needs, in the order in which AWS asks for them; may be none.

    `known` finds the role of an instance profile, which RunInstances passes on, and the paths in IAM's ARNs.
    """
    if (call.service, call.operation) in _FREE:
        return []
    own = _OWN.get(call.service)
    found = own(call) if own else [Need(action(call), resources(call, known))]
    role, service = _passed_role(call, known)
    if role:
        found.append(Need("iam:PassRole", [role], {"iam:passedtoservice": service}))
    return found


def action(call: ApiCall) -> str:
    """The action of an operation outside S3 and DynamoDB."""
    prefix = _PREFIXES.get(call.service, call.service)
    name = _LAMBDA.get(call.operation, call.operation) if call.service == "lambda" else call.operation
    return f"{prefix}:{name}"


def _passed_role(call: ApiCall, known: Known) -> tuple[str, str]:
    """The ARN of the role that the call gives to a service, and that service; "" where it gives none."""
    where = (call.service, call.operation)
    if where in (("lambda", "CreateFunction"), ("lambda", "UpdateFunctionConfiguration")):
        return call.text("Role"), "lambda.amazonaws.com"
    if call.service == "cloudformation":
        return call.text("RoleARN"), "cloudformation.amazonaws.com"
    if where == ("iam", "AddRoleToInstanceProfile"):
        return iam_arn(call, "role", call.text("RoleName"), known), "ec2.amazonaws.com"
    if where in (("ec2", "RunInstances"), ("ec2", "AssociateIamInstanceProfile")):
        profile = next((call.text(name) for name in _EC2_PROFILES if call.text(name)), "")
        return (known.profile_role(profile) or "") if profile else "", "ec2.amazonaws.com"
    return "", ""
