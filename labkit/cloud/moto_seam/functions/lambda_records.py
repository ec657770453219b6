"""Lambda functions in moto's state as plain records, and their code.

What belongs here: reading. What does not: changing (lambda_functions) and invoking (lambda_invoke).
"""

from typing import Any

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import FunctionRecord
from labkit.cloud.moto_seam.backends import backend, in_use


def functions() -> tuple[FunctionRecord, ...]:
    """$LATEST and every published version of every function, in all regions."""
    return tuple(
        record_of(function)
        for _, service in in_use("lambda")
        for group in list(service._lambdas._functions.values())
        for function in (group["latest"], *group["versions"])
        if function is not None
    )


def record_of(function: Any) -> FunctionRecord:
    """The record of one of moto's functions."""
    vpc = function.vpc_config or {}
    return FunctionRecord(
        arn=function.function_arn,
        name=function.function_name,
        version=str(function.version),
        region=function.region,
        account_id=ACCOUNT_ID,
        runtime=function.run_time or "",
        handler=function.handler or "",
        role_arn=function.role,
        timeout_seconds=int(function.timeout),
        memory_mb=int(function.memory_size),
        environment=dict(function.environment_vars or {}),
        code_sha256=function.code_sha_256,
        revision=revision_of(function),
        log_group=function.logs_group_name,
        vpc_id=vpc.get("VpcId", ""),
        subnet_ids=tuple(vpc.get("SubnetIds") or ()),
        security_group_ids=tuple(vpc.get("SecurityGroupIds") or ()),
        reserved_concurrency=_concurrency(function),
        **_of_events(function),
    )


def _of_events(function: Any) -> dict[str, int]:
    """What PutFunctionEventInvokeConfig said."""
    named = {"MaximumRetryAttempts": "retries", "MaximumEventAgeInSeconds": "event_age_seconds"}
    config = function.event_invoke_config[0].config if function.event_invoke_config else {}
    return {field: int(config[name]) for name, field in named.items() if name in config}


def revision_of(function: Any) -> str:
    """What changes with every update of the function's code or configuration (RevisionId)."""
    return str(getattr(function, "revision_id", function.last_modified))


def code_zip(arn: str, version: str) -> bytes:
    """The deployment package of a version ("$LATEST" or a number) of the function.

    Raises KeyError when there is no such function or version.
    """
    region, name = arn.split(":")[3], arn.split(":")[6]
    group = backend("lambda", region)._lambdas._functions[name]
    for function in (group["latest"], *group["versions"]):
        if function is not None and str(function.version) == version:
            return bytes(function.code_bytes)
    raise KeyError(f"{arn}:{version}")


def _concurrency(function: Any) -> int | None:
    reserved = function.reserved_concurrency
    return None if reserved is None else int(reserved)
