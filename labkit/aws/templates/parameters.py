"""The values of a template's parameters: given, default, constrained, looked up.

What belongs here: everything about the section Parameters. What does not: the functions that use
the values (intrinsics).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from labkit.aws.images import told_by
from labkit.aws.templates import patterns
from labkit.aws.templates.errors import code_of, invalid, names
from labkit.aws.templates.template import Template

ClientOf = Callable[[str], Any]
"""service → boto3 client of the stack's region."""

_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_LIST = re.compile(r"List<(.+)>")
_PLAIN = frozenset({"String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name"})
#: of a value, in bytes: AWS CloudFormation user guide, "CloudFormation quotas"
MAX_VALUE_BYTES = 4096
#: what bounds a value, and how its number is read
_BOUNDS: Mapping[str, Callable[[str], object]] = {
    "MinLength": int,
    "MaxLength": int,
    "MinValue": float,
    "MaxValue": float,
}
_KEYS = frozenset(
    [
        "Type",
        "Default",
        "Description",
        "NoEcho",
        "AllowedValues",
        "AllowedPattern",
        "ConstraintDescription",
        "MinLength",
        "MaxLength",
        "MinValue",
        "MaxValue",
    ]
)
#: AWS-specific types: the EC2 call that knows the value, and the argument that names it
_EC2_TYPES: Mapping[str, tuple[str, str]] = {
    "AWS::EC2::AvailabilityZone::Name": ("describe_availability_zones", "ZoneNames"),
    "AWS::EC2::Image::Id": ("describe_images", "ImageIds"),
    "AWS::EC2::Instance::Id": ("describe_instances", "InstanceIds"),
    "AWS::EC2::KeyPair::KeyName": ("describe_key_pairs", "KeyNames"),
    "AWS::EC2::SecurityGroup::GroupName": ("describe_security_groups", "GroupNames"),
    "AWS::EC2::SecurityGroup::Id": ("describe_security_groups", "GroupIds"),
    "AWS::EC2::Subnet::Id": ("describe_subnets", "SubnetIds"),
    "AWS::EC2::VPC::Id": ("describe_vpcs", "VpcIds"),
    "AWS::EC2::Volume::Id": ("describe_volumes", "VolumeIds"),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a stack: `text` as given, `value` as Ref gives it (text or list)."""

    key: str
    text: str
    value: str | list[str]
    no_echo: bool
    looked_up: str = ""  # what Systems Manager answered, for types that ask it


def resolve(template: Template, given: Mapping[str, str], client: ClientOf) -> dict[str, Parameter]:
    """The parameters of a stack made from `template` with the values `given`.

    Raises ApiError(ValidationError) in AWS's words for values that are missing, unknown or refused.
    """
    if unknown := [key for key in given if key not in template.parameters]:
        raise invalid(f"Parameters: {names(unknown)} do not exist in the template")
    declared = template.parameters
    if missing := [key for key in declared if key not in given and "Default" not in declared[key]]:
        raise invalid(
            f"Parameters: {names(missing)} must have values", template.line("Parameters", missing[0])
        )
    return {key: _parameter(template, key, given, client) for key in declared}


def check(template: Template) -> None:
    """Refuse parameters whose declaration is wrong, with their line."""
    for key, entry in template.parameters.items():
        line = template.line("Parameters", key)
        if unknown := [name for name in entry if name not in _KEYS]:
            raise invalid(f"Invalid template parameter property '{unknown[0]}' of parameter {key}", line)
        if not isinstance(entry.get("Type"), str):
            raise invalid("Template format error: Every Parameters object must contain a Type member.", line)
        if _base_type(entry["Type"]) not in _PLAIN | set(_EC2_TYPES):
            raise invalid(f"Template format error: Unrecognized parameter type: {entry['Type']}", line)
        _check_bounds(key, entry, line)


def _check_bounds(key: str, entry: Mapping[str, Any], line: int | None) -> None:
    for name, kind in _BOUNDS.items():
        if name in entry and not _is_number(entry[name], kind):
            raise invalid(f"Template format error: {name} of parameter {key} must be a number.", line)
    if not isinstance(entry.get("AllowedValues", []), list):
        raise invalid(f"Template format error: AllowedValues of parameter {key} must be a list.", line)
    pattern = entry.get("AllowedPattern", "")
    if isinstance(pattern, (dict, list)):
        raise invalid(f"Template format error: AllowedPattern of parameter {key} must be a string.", line)
    if pattern:
        patterns.check(_as_text(pattern), key, line)


def _is_number(value: Any, kind: Callable[[str], object]) -> bool:
    try:
        kind(_as_text(value))
    except ValueError:
        return False
    return True


def _base_type(type_name: str) -> str:
    """The type of one value: SSM's and the list's wrapping taken away."""
    inner = match[1] if (match := _SSM_VALUE.fullmatch(type_name)) else type_name
    return match[1] if (match := _LIST.fullmatch(inner)) else inner


def _parameter(template: Template, key: str, given: Mapping[str, str], client: ClientOf) -> Parameter:
    entry = template.parameters[key]
    text = given[key] if key in given else _as_text(entry["Default"])
    ssm = _SSM_VALUE.fullmatch(entry["Type"])
    type_name = ssm[1] if ssm else entry["Type"]
    line = template.line("Parameters", key)
    _check_constraints(key, entry, text, line)
    looked_up = _from_ssm(text, client) if ssm else ""
    value = _value(type_name, looked_up if ssm else text)
    if not ssm:
        _check_exists(key, _base_type(type_name), value, client, line)
    return Parameter(key, text, value, _as_text(entry.get("NoEcho", False)) == "true", looked_up)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _value(type_name: str, text: str) -> str | list[str]:
    if type_name == "CommaDelimitedList" or _LIST.fullmatch(type_name):
        return [item.strip() for item in text.split(",")]
    return text


def _check_constraints(key: str, entry: Mapping[str, Any], text: str, line: int | None) -> None:
    problem = _problem(key, entry, text)
    if problem and "ConstraintDescription" in entry:
        problem = f"Parameter '{key}' failed to satisfy constraint: {entry['ConstraintDescription']}"
    if problem:
        raise invalid(problem, line)


def _problem(key: str, entry: Mapping[str, Any], text: str) -> str:
    if len(text.encode()) > MAX_VALUE_BYTES:
        return f"Parameter '{key}' must contain at most {MAX_VALUE_BYTES} bytes"
    if problem := _number_problem(key, entry, text):
        return problem
    allowed = [_as_text(value) for value in entry.get("AllowedValues", [])]
    items = _value(entry["Type"], text)
    values = items if isinstance(items, list) else [items]
    if allowed and any(value not in allowed for value in values):
        return f"Parameter '{key}' must be one of AllowedValues"
    pattern = entry.get("AllowedPattern")
    if pattern and any(not patterns.fits(_as_text(pattern), value) for value in values):
        return f"Parameter '{key}' must match pattern {pattern}"
    if len(text) < int(entry.get("MinLength", 0)):
        return f"Parameter '{key}' must contain at least {entry['MinLength']} characters"
    if "MaxLength" in entry and len(text) > int(entry["MaxLength"]):
        return f"Parameter '{key}' must contain at most {entry['MaxLength']} characters"
    return ""


def _number_problem(key: str, entry: Mapping[str, Any], text: str) -> str:
    if _base_type(entry["Type"]) != "Number":
        return ""
    try:
        numbers = [float(item) for item in text.split(",")] if "List" in entry["Type"] else [float(text)]
    except ValueError:
        return f"Parameter '{key}' must be a number"
    if "MinValue" in entry and any(number < float(entry["MinValue"]) for number in numbers):
        return f"Parameter '{key}' must be a number not less than {entry['MinValue']}"
    if "MaxValue" in entry and any(number > float(entry["MaxValue"]) for number in numbers):
        return f"Parameter '{key}' must be a number not greater than {entry['MaxValue']}"
    return ""


def _from_ssm(name: str, client: ClientOf) -> str:
    try:
        found = client("ssm").get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if code_of(error) not in ("ParameterNotFound", "ValidationException"):
            raise invalid(str(error)) from error
        message = f"Unable to fetch parameters {names([name])} from parameter store for this account."
        raise invalid(message + told_by(error)) from error
    if found["Type"] == "SecureString":
        raise invalid(
            f"Parameters {names([name])} referenced by template have types not supported by CloudFormation."
        )
    return str(found["Value"])


def _check_exists(
    key: str, type_name: str, value: str | list[str], client: ClientOf, line: int | None
) -> None:
    if type_name not in _EC2_TYPES:
        return
    operation, argument = _EC2_TYPES[type_name]
    wanted = value if isinstance(value, list) else [value]
    try:
        getattr(client("ec2"), operation)(**{argument: wanted})
    except ClientError as error:
        values = ", ".join(wanted)
        message = f"parameter value {values} for parameter name {key} does not exist"
        raise invalid(f"Parameter validation failed: {message}", line) from error


def summary(template: Template) -> Iterable[dict[str, Any]]:
    """The parameters as ValidateTemplate lists them."""
    for key, entry in template.parameters.items():
        yield {
            "ParameterKey": key,
            "NoEcho": _as_text(entry.get("NoEcho", False)) == "true",
            "Description": entry.get("Description"),
            "DefaultValue": _as_text(entry["Default"]) if "Default" in entry else None,
            "ParameterType": entry["Type"],
            "ParameterConstraints": {
                "AllowedValues": [_as_text(item) for item in entry.get("AllowedValues", [])]
            },
        }
