"""What a function's sandbox is given: its environment variables, its files and its limits.

What belongs here: the one description of an execution environment, as AWS documents it. What does not:
starting it (see placement).

AWS Lambda, "Using Lambda environment variables", "Lambda quotas" and "Lambda runtimes".
"""

from collections.abc import Mapping
from pathlib import Path

from labkit.aws.addresses import RUNTIME_ADDRESS, RUNTIME_PORT
from labkit.aws.records import Credentials, FunctionRecord
from labkit.cloud.ports import AwsAccess
from labkit.sandbox.spec import Bind, Limits, SandboxSpec

TASK_ROOT = "/var/task"
#: the program that is the runtime where the package brings its own
BOOTSTRAP = f"{TASK_ROOT}/bootstrap"
_ENTRY = "labkit.cloud.functions.runtime.bootstrap:main"
HOME = "/home/sbx_user1051"
USER_ID = 993
_PASSWD = (
    f"root:x:0:0:root:/root:/bin/bash\n"
    f"sbx_user1051:x:{USER_ID}:990::{HOME}:/sbin/nologin\n"
    f"nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
)
_LIBRARIES = (
    *("/var/lang/lib", "/lib64", "/usr/lib64", "/var/runtime", "/var/runtime/lib"),
    *("/var/task", "/var/task/lib", "/opt/lib"),
)
_RUNTIME_API = f"{RUNTIME_ADDRESS}:{RUNTIME_PORT}"


def sandbox_spec(
    function: FunctionRecord,
    *,
    name: str,
    log_stream: str,
    code: Path,
    credentials: Credentials,
    access: AwsAccess,
) -> SandboxSpec:
    """The sandbox of the environment `name`, which joins the interface of the same name."""
    arguments = {"handler": function.handler, "task_root": TASK_ROOT, "python": _python(function.runtime)}
    return SandboxSpec(
        name=name,
        **(
            {"command": (BOOTSTRAP,)}
            if has_own_runtime(function)
            else {"entry": _ENTRY, "arguments": arguments}
        ),
        env=variables(function, log_stream=log_stream, credentials=credentials),
        cwd=TASK_ROOT,
        hostname="169-254-100-6",
        interface=name,
        binds=(Bind(str(code), TASK_ROOT), *access.binds()),
        files={"/etc/passwd": _PASSWD, **access.files([HOME])},
        uid=USER_ID,
        limits=_limits(function),
    )


def has_own_runtime(function: FunctionRecord) -> bool:
    """Whether the package brings the runtime (Lambda developer guide, "Building a custom runtime")."""
    return function.runtime.startswith("provided")


def _python(runtime: str) -> str:
    """The minor version of a Python runtime, "" for others."""
    return runtime.partition(".")[2] if runtime.startswith("python3.") else ""


def variables(function: FunctionRecord, *, log_stream: str, credentials: Credentials) -> Mapping[str, str]:
    """Every variable that the function sees; the reserved ones can't be replaced by the function's own."""
    return {**_defaults(), **function.environment, **_reserved(function, log_stream), **_keys(credentials)}


def _limits(function: FunctionRecord) -> Limits:
    """A long life uses more CPU time than any one invocation may: the time-out bounds each."""
    return Limits(
        memory_mb=function.memory_mb,
        processes=1024,
        cpu_seconds=86_400,
        file_mb=512,
        open_files=1024,
        disk_mb=512,
        files=65_536,
    )


def _defaults() -> dict[str, str]:
    """Variables that a function may set for itself."""
    return {
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": ":".join(_LIBRARIES),
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime",
        "TZ": ":UTC",
    }


def _reserved(function: FunctionRecord, log_stream: str) -> dict[str, str]:
    return {
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": _RUNTIME_API,
        "AWS_REGION": function.region,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "_HANDLER": function.handler,
    }


def _keys(credentials: Credentials) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }
