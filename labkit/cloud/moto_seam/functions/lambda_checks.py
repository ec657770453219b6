"""What Lambda checks before it creates or changes a function, where plain moto takes anything.

What belongs here: the checks, in AWS's words. What does not: keeping the function (lambda_functions).

AWS: Lambda API reference, CreateFunction and UpdateFunctionConfiguration; developer guide, "Lambda quotas",
"Defined runtime environment variables", "Giving Lambda functions access to resources in an Amazon VPC".
"""

import base64
import binascii
import datetime
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from labkit.aws import runtimes
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.errors import lambda_error, not_emulated
from labkit.cloud.moto_seam.identity.trust import role_of, trusts

RoleAllows = Callable[[str, str, str, str], bool]

MEMORY_MB = (128, 10_240)
TIMEOUT_SECONDS = (1, 900)
ENVIRONMENT_BYTES = 4_096
UNZIPPED_BYTES = 262_144_000
RESERVED_VARIABLES = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ]
)
NOT_ASSUMED = "The role defined for the function cannot be assumed by Lambda."
#: what a role needs so that Lambda can put a function into a VPC
INTERFACE_ACTIONS = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")


def check_configuration(
    region: str, values: Mapping[str, Any], role: str, allows: RoleAllows, *, update: bool = False
) -> None:
    """Raise AWS's error for the first of `values` (CreateFunction's names) that Lambda refuses.

    `role` is the role's ARN after the change; `allows(role ARN, action, resource ARN, region)` is IAM's answer.
    """
    _check_range(values, "MemorySize", MEMORY_MB)
    _check_range(values, "Timeout", TIMEOUT_SECONDS)
    _check_runtime(values, update=update)
    _check_logging(values)
    _check_environment((values.get("Environment") or {}).get("Variables") or {})
    if "Role" in values:
        _check_role(role)
    _check_vpc(region, values.get("VpcConfig") or {}, role, allows)


def check_package(encoded: str | bytes | None) -> None:
    """Raise AWS's error when the deployment package (base64) is no zip or unpacks to more than 250 MB."""
    if not encoded:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded))) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, binascii.Error):
        raise _invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
    if size > UNZIPPED_BYTES:
        raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_BYTES} bytes")


def _invalid(message: str) -> Exception:
    return lambda_error("InvalidParameterValueException", message)


def _check_range(values: Mapping[str, Any], name: str, limits: tuple[int, int]) -> None:
    value = values.get(name)
    if value is None or limits[0] <= int(value) <= limits[1]:
        return
    relation, limit = ("greater", limits[0]) if int(value) < limits[0] else ("less", limits[1])
    field = name[0].lower() + name[1:]
    raise lambda_error(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must "
        f"have value {relation} than or equal to {limit}",
    )


def _check_runtime(values: Mapping[str, Any], *, update: bool) -> None:
    """A runtime that AWS takes today, and that can be run here: Python's, or the package's own."""
    runtime = values.get("Runtime")
    if runtime is None:
        return
    today = datetime.date.today()
    if not runtimes.known(runtime):
        raise _invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(runtimes.taken(today))}] or be a valid ARN"
        )
    if runtimes.closed(runtime, update=update, day=today):
        raise _invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda "
            "functions. We recommend you use a supported runtime while creating or updating functions."
        )
    if not runtime.startswith(("python", "provided")):
        raise not_emulated(
            f"the runtime {runtime}: functions run in Python here, or by a bootstrap of their own (provided.al2023)"
        )


def _check_logging(values: Mapping[str, Any]) -> None:
    logging = values.get("LoggingConfig") or {}
    if logging.get("LogFormat", "Text") != "Text":
        raise not_emulated(f"LogFormat {logging['LogFormat']} of LoggingConfig")
    for name in ("ApplicationLogLevel", "SystemLogLevel"):
        if logging.get(name):
            raise _invalid(f"{name} can only be set for LogFormat JSON.")


def _check_environment(variables: Mapping[str, str]) -> None:
    reserved = [name for name in variables if name in RESERVED_VARIABLES]
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided contains reserved keys that are currently not supported for modification. Reserved "
            f"keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(dict(variables), separators=(",", ":"))
    if len(measured.encode()) > ENVIRONMENT_BYTES:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you "
            f"have provided exceeded the 4KB limit. String measured: {measured}"
        )


def _check_role(role_arn: str) -> None:
    role = role_of(role_arn)
    if role is None or not trusts(role, "lambda.amazonaws.com"):
        raise _invalid(NOT_ASSUMED)


def _check_vpc(region: str, vpc: Mapping[str, Any], role: str, allows: RoleAllows) -> None:
    ec2 = backend("ec2", region)
    subnets, groups = vpc.get("SubnetIds") or [], vpc.get("SecurityGroupIds") or []
    if bool(subnets) != bool(groups):
        raise _invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
    known = {subnet.id: subnet.vpc_id for zone in ec2.subnets.values() for subnet in zone.values()}
    for subnet in subnets:
        if subnet not in known:
            raise _ec2_trouble("Subnets", "InvalidSubnetID", f"The subnet ID '{subnet}' does not exist")
    vpcs = {known[subnet] for subnet in subnets}
    for group in groups:
        _check_group(ec2, group, vpcs)
    missing = next((name for name in INTERFACE_ACTIONS if not allows(role, f"ec2:{name}", "*", region)), "")
    if subnets and missing:
        raise _invalid(f"The provided execution role does not have permissions to call {missing} on EC2")


def _check_group(ec2: Any, group_id: str, vpcs: set[str]) -> None:
    group = ec2.get_security_group_from_id(group_id)
    if group is None:
        words = f"The security group '{group_id}' does not exist"
        raise _ec2_trouble("SecurityGroups", "InvalidGroup", words)
    if {group.vpc_id} != vpcs:
        raise _invalid("Security Groups are required to be in the same VPC as the subnets.")


def _ec2_trouble(what: str, code: str, message: str) -> Exception:
    return _invalid(
        f"Error occurred while Describe{what}. EC2 Error Code: {code}.NotFound. EC2 Error Message: {message}"
    )
