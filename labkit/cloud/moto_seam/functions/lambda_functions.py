"""How moto keeps Lambda functions: checked, with their real VPC, a revision, and their log group.

What belongs here: creating, changing and describing functions. What does not: the checks themselves
(lambda_checks) and invoking (lambda_invoke).

AWS: Lambda API reference, CreateFunction, UpdateFunctionCode, FunctionConfiguration.
"""

import base64
import time
import uuid
from collections.abc import Callable
from typing import Any

from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.errors import lambda_error
from labkit.cloud.moto_seam.functions.lambda_checks import (
    NOT_ASSUMED,
    RoleAllows,
    check_configuration,
    check_package,
)
from labkit.cloud.moto_seam.functions.lambda_records import revision_of
from labkit.cloud.moto_seam.functions.lambda_requests import pending
from labkit.cloud.moto_seam.identity.trust import is_new, role_of
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.pace import Pace
from labkit.cloud.stores.s3.wire.errors import S3Error, no_bucket

ReadObject = Callable[[str, str, str], bytes]


_CREATING = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}


def no_objects(bucket: str, key: str, version: str) -> bytes:
    """Where there is no S3 there is no bucket."""
    raise no_bucket(bucket)


def correct_functions(
    replacements: Replacements, allows: RoleAllows, read_object: ReadObject, pace: Pace
) -> None:
    """Check what is created and changed, and describe it as AWS does; see lambda_requests of `pace`."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction

    def create(original: Any, self: Any, spec: dict[str, Any]) -> Any:
        if is_new(role_of(spec["Role"]), pace):
            raise lambda_error("InvalidParameterValueException", NOT_ASSUMED)
        check_configuration(self.region_name, {"Role": None, **spec}, spec["Role"], allows)
        code = _with_package(spec.get("Code") or {}, read_object)
        check_package(code.get("ZipFile"))
        return original(self, {**spec, "Code": code})

    def update_code(original: Any, self: Any, name: str, qualifier: str, body: dict[str, Any]) -> Any:
        return _update_code(self, name, qualifier, _with_package(body, read_object))

    def update_configuration(original: Any, self: Any, config_updates: dict[str, Any]) -> Any:
        role = config_updates.get("Role") or self.role
        check_configuration(self.region, config_updates, role, allows, update=True)
        _take_logging(self, config_updates)
        original(self, config_updates)
        _touch(self)
        return self.get_configuration()

    for name in ("put_function_event_invoke_config", "update_function_event_invoke_config"):
        replacements.around(LambdaBackend, name)(_of_events)
    replacements.around(LambdaBackend, "create_function")(create)
    replacements.around(LambdaBackend, "update_function_code")(update_code)
    replacements.around(LambdaFunction, "update_configuration")(update_configuration)
    replacements.around(LambdaFunction, "__init__")(_initialise)
    replacements.around(LambdaFunction, "set_version")(_set_version)
    replacements.around(LambdaFunction, "vpc_config")(_vpc_config)

    @replacements.around(LambdaFunction, "get_configuration")
    def get_configuration(original: Any, self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        found = _configuration(original, self, *args, **kwargs)
        return found | (_CREATING if pending(self, pace) else {})


def _of_events(original: Any, self: Any, function_name: str, config: dict[str, Any]) -> Any:
    """What is put takes the place of what was; an update keeps what it does not name."""
    kept = self.get_function(function_name).event_invoke_config
    if original.__name__.startswith("update") and kept:
        config = {**kept[0].config, **config}
    kept.clear()
    return original(self, function_name, config)


def _initialise(
    original: Any, self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any
) -> None:
    original(self, account_id, spec, *args, **kwargs)
    self.made_at = time.time()
    _take_logging(self, spec)
    self.revision_id = str(uuid.uuid4())


def _take_logging(function: Any, values: dict[str, Any]) -> None:
    group = (values.get("LoggingConfig") or {}).get("LogGroup")
    if group:
        function.logs_group_name = group


def _touch(function: Any) -> None:
    from moto.core.utils import iso_8601_datetime_with_nanoseconds

    function.revision_id = str(uuid.uuid4())
    function.last_modified = iso_8601_datetime_with_nanoseconds()


def _with_package(code: dict[str, Any], read_object: ReadObject) -> dict[str, Any]:
    """The code with its deployment package, which S3 may hold (Lambda API reference, "FunctionCode")."""
    if code.get("ZipFile") or not (code.get("S3Bucket") and code.get("S3Key")):
        return code
    try:
        package = read_object(code["S3Bucket"], code["S3Key"], code.get("S3ObjectVersion") or "")
    except S3Error as error:
        words = (
            f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
        )
        raise lambda_error("InvalidParameterValueException", words) from None
    kept = {name: value for name, value in code.items() if not name.startswith("S3")}
    return {**kept, "ZipFile": base64.b64encode(package).decode()}


def _update_code(self: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
    check_package(body.get("ZipFile"))
    function = self.get_function(function_name, qualifier)
    if body.get("DryRun"):
        return function.get_configuration()
    # plain moto takes the code twice, the second time into the version that it has just published
    function.update_function_code(body)
    _touch(function)
    if body.get("Publish", False):
        function = self.publish_version(function_name)
    return function.get_configuration()


def _set_version(original: Any, self: Any, version: int) -> None:
    original(self, version)
    self.revision_id = str(uuid.uuid4())


def _vpc_config(getter: Any, self: Any) -> dict[str, Any] | None:
    """SubnetIds, SecurityGroupIds and the VPC that the first subnet is in (plain moto's is a constant)."""
    config = self._vpc_config
    if not config or not config.get("SubnetIds"):
        return None
    ec2 = backend("ec2", self.region)
    vpc = next(
        (
            subnets[config["SubnetIds"][0]].vpc_id
            for subnets in ec2.subnets.values()
            if config["SubnetIds"][0] in subnets
        ),
        "",
    )
    return {
        "SubnetIds": list(config["SubnetIds"]),
        "SecurityGroupIds": list(config.get("SecurityGroupIds") or ()),
        "Ipv6AllowedForDualStack": bool(config.get("Ipv6AllowedForDualStack", False)),
        "VpcId": vpc,
    }


def _configuration(original: Any, self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    configuration: dict[str, Any] = original(self, *args, **kwargs)
    configuration["RevisionId"] = revision_of(self)
    configuration["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
    return configuration
