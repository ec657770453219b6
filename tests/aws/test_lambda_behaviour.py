"""Lambda as AWS documents it: what functions see, how they fail, what their logs say.

Functions run for real, in the sandbox, on a network of their own; the control plane around them is faked.
"""

import hashlib
import io
import itertools
import json
import re
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from labkit.aws.records import (
    Caller,
    Credentials,
    FunctionRecord,
    GroupRecord,
    InterfaceRecord,
    InvocationResult,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.cloud.endpoints.access import access_for
from labkit.cloud.functions import errors
from labkit.cloud.functions.environment import State
from labkit.cloud.functions.pool import PoolLimits
from labkit.cloud.functions.service import FunctionService
from labkit.cloud.server.fabrics import fabric_for
from labkit.cloud.web.serving import Server
from labkit.sandbox.tiers import CHOICES, NAMESPACES, AnyHost, open_best, wanted_here

ROLE = "arn:aws:iam::123456789012:role/lab-lambda"
BASE = FunctionRecord(
    arn="arn:aws:lambda:ap-south-1:123456789012:function:lab",
    name="lab",
    version="$LATEST",
    region="ap-south-1",
    account_id="123456789012",
    runtime="python3.13",
    handler="lambda_function.lambda_handler",
    role_arn=ROLE,
    timeout_seconds=10,
    memory_mb=256,
    environment={"S3_BUCKET": "lab-bucket"},
    code_sha256="",
    revision="",
    log_group="/aws/lambda/lab",
)
ECHO = "def lambda_handler(event, context):\n    return event\n"


class RecordingFabric:
    """The network of the host's tier, which also tells what is attached to it."""

    def __init__(self, host: AnyHost) -> None:
        self.fabric = fabric_for(host)
        self.address_of, self.connect, self.update = (
            self.fabric.address_of,
            self.fabric.connect,
            self.fabric.update,
        )
        self.interfaces: dict[str, InterfaceRecord] = {}

    def attach(
        self,
        interface: InterfaceRecord,
        *,
        loopback: Sequence[str] = (),
        listen: Sequence[tuple[str, int]] = (),
        datagrams: Sequence[tuple[str, int]] = (),
    ) -> list[socket.socket]:
        sockets = self.fabric.attach(interface, loopback=loopback, listen=listen, datagrams=datagrams)
        self.interfaces[interface.name] = interface
        return sockets

    def detach(self, name: str) -> None:
        self.fabric.detach(name)
        del self.interfaces[name]


class Sts:
    def issue(self, role_arn: str, session_name: str, *, seconds: int) -> Credentials:
        return Credentials(f"ASIA{session_name}", f"secret of {role_arn}", "token", time.time() + seconds)


class Logs:
    def __init__(self) -> None:
        self.streams: dict[str, list[str]] = {}
        self.groups: set[tuple[str, str, str]] = set()

    def write(
        self, *, role_arn: str, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]
    ) -> None:
        self.groups.add((role_arn, region, group))
        self.streams.setdefault(stream, []).extend(text for _, text in lines)


@dataclass
class Lab:
    service: FunctionService
    fabric: RecordingFabric
    logs: Logs
    packages: dict[str, bytes] = field(default_factory=dict)
    callers: list[Caller] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def function(self, source: str | Mapping[str, str], **fields: object) -> FunctionRecord:
        files = {"lambda_function.py": source} if isinstance(source, str) else source
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        sha256 = hashlib.sha256(data.getvalue()).hexdigest()
        made = replace(BASE, **{"code_sha256": sha256, "revision": sha256, **fields})  # type: ignore[arg-type]
        self.packages[made.arn] = data.getvalue()
        return made

    def invoke(
        self, function: FunctionRecord, event: object = None, *, tail: bool = False
    ) -> InvocationResult:
        request_id = f"11111111-2222-4333-8444-{next(self.numbers):012d}"
        payload = json.dumps(event).encode()
        return self.service.invoke(function, payload, request_id=request_id, tail=tail)

    def call(self, function: FunctionRecord, event: object = None) -> object:
        result = self.invoke(function, event)
        assert result.function_error == "", result.payload
        return json.loads(result.payload)

    def fail(self, function: FunctionRecord, event: object = None) -> dict[str, object]:
        result = self.invoke(function, event)
        assert result.function_error == "Unhandled"
        answer = json.loads(result.payload)
        assert isinstance(answer, dict)
        return answer

    def lines(self) -> list[str]:
        self.service.flush()
        return [line for stream in self.logs.streams.values() for line in stream]

    def states(self) -> list[State]:
        return [environment.state for environment in self.service.environments()]


@pytest.fixture(scope="module")
def host() -> Iterator[AnyHost]:
    with open_best(["labkit.cloud.functions.runtime.preloaded"], wanted=wanted_here()[0]).host as host:
        yield host


@pytest.fixture(scope="module")
def fabric(host: AnyHost) -> Iterator[RecordingFabric]:
    made = RecordingFabric(host)
    yield made
    made.fabric.close()


@pytest.fixture
def lab(host: AnyHost, fabric: RecordingFabric, tmp_path: Path) -> Iterator[Lab]:
    logs, server, events = Logs(), Server(), []
    packages: dict[str, bytes] = {}
    callers: list[Caller] = []

    def endpoint(caller: Caller, *, secure_transport: bool = True):  # type: ignore[no-untyped-def]
        def tables(environ, start):  # type: ignore[no-untyped-def]
            callers.append(caller)
            start("200 OK", [("Content-Type", "application/x-amz-json-1.0")])
            return [b'{"TableNames": ["images"]}']

        return tables

    access = access_for(endpoint, server, fabric.fabric, tmp_path / "trust")
    service = FunctionService(
        host,
        fabric,
        Sts(),
        logs,
        access,
        lambda arn, _: packages[arn],
        emit=events.append,
        limits=PoolLimits(concurrency=4),
        init_seconds=1.5,
        retry_seconds=(0.0, 0.0),
    )
    yield Lab(service, fabric, logs, packages, callers)
    service.close()
    assert not fabric.interfaces
    access.shut()
    server.close()
    assert events == []


# What a function sees.


def test_event_and_client_context(lab: Lab) -> None:
    """AWS Lambda, API reference of Invoke: Payload and ClientContext; without a payload it is {}."""
    source = """
def lambda_handler(event, context):
    return [event, context.client_context and context.client_context.custom]
"""
    function = lab.function(source)
    own = '{"custom": {"a": "b"}}'
    result = lab.service.invoke(function, '"\u00e9"'.encode(), request_id="1", client_context=own)
    assert json.loads(result.payload) == ["\u00e9", {"a": "b"}]
    assert json.loads(lab.service.invoke(function, b"", request_id="2").payload) == [{}, None]


def test_event_that_is_no_json(lab: Lab) -> None:
    """AWS Lambda, API reference of Invoke: InvalidRequestContentException."""
    with pytest.raises(errors.InvalidRequestContent, match="Could not parse request body into json: "):
        lab.service.invoke(lab.function(ECHO), b"{no", request_id="1")


def test_environment_variables(lab: Lab) -> None:
    """AWS Lambda, "Using Lambda environment variables": reserved ones, and no endpoint of this cloud."""
    source = "import os\ndef lambda_handler(event, context):\n    return dict(os.environ)\n"
    seen = lab.call(lab.function(source))
    assert isinstance(seen, dict)
    stream = seen.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};.*", seen.pop("_X_AMZN_TRACE_ID"))
    assert seen.pop("LD_LIBRARY_PATH").startswith("/var/lang/lib:")
    assert seen == {
        "AWS_ACCESS_KEY_ID": "ASIAlab",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "lab",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/lab",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": "ap-south-1",
        "AWS_SECRET_ACCESS_KEY": f"secret of {ROLE}",
        "AWS_SESSION_TOKEN": "token",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime",
        "S3_BUCKET": "lab-bucket",
        "TZ": ":UTC",
        "_HANDLER": "lambda_function.lambda_handler",
    }


def test_context_object(lab: Lab) -> None:
    """AWS Lambda, "Using the Lambda context object to retrieve Python function information"."""
    source = """
def lambda_handler(event, context):
    return [context.function_name, context.function_version, context.memory_limit_in_mb,
            context.invoked_function_arn, context.aws_request_id, context.log_group_name,
            context.get_remaining_time_in_millis()]
"""
    *rest, remaining = lab.call(lab.function(source))  # type: ignore[misc]
    request_id = "11111111-2222-4333-8444-000000000000"
    assert rest == ["lab", "$LATEST", "256", BASE.arn, request_id, "/aws/lambda/lab"]
    assert 8000 < remaining <= 10_000


def test_boto3_finds_the_cloud_with_the_roles_credentials(lab: Lab) -> None:
    """AWS Lambda, "Runtime includes the SDK for Python (Boto3)"; S3 user guide, "Regions and endpoints"."""
    source = """
import boto3
def lambda_handler(event, context):
    s3 = boto3.client("s3")
    keys = s3._request_signer._credentials
    return [s3.meta.endpoint_url, s3.meta.region_name, keys.access_key, keys.token]
"""
    url = "https://s3.ap-south-1.amazonaws.com"
    assert lab.call(lab.function(source)) == [url, "ap-south-1", "ASIAlab", "token"]


def test_only_the_standard_library_and_the_sdk_import(lab: Lab) -> None:
    """AWS Lambda, "Working with .zip file archives for Python": other dependencies must be in the zip."""
    source = """
import importlib
def lambda_handler(event, context):
    found = {}
    for name in event:
        try:
            importlib.import_module(name)
            found[name] = True
        except ModuleNotFoundError:
            found[name] = False
    return found
"""
    inside = ["boto3", "botocore", "urllib3", "json", "sqlite3", "dateutil", "jmespath"]
    outside = ["flask", "requests", "moto", "labkit", "labkit.sandbox", "yaml", "pytest", "werkzeug", "rich"]
    answer = lab.call(lab.function(source), inside + outside)
    assert answer == {**dict.fromkeys(inside, True), **dict.fromkeys(outside, False)}


def test_nothing_of_the_kit_is_loaded(lab: Lab) -> None:
    """AWS Lambda, "Building Lambda functions with Python": the runtime's modules and nothing beside."""
    source = "import sys\ndef lambda_handler(event, context):\n    return sorted(sys.modules)\n"
    loaded = lab.call(lab.function(source))
    assert not [name for name in loaded if name.partition(".")[0] in ("labkit", "moto", "flask", "_pytest")]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["urllib3", "queue", "requests", "simplejson"])
def test_the_packages_own_copy_wins(lab: Lab, name: str) -> None:
    """AWS Lambda, "Search path for runtime-included libraries": the deployment package comes first."""
    files = {
        "lambda_function.py": f"import {name}\ndef lambda_handler(event, context):\n    return {name}.MINE\n",
        f"{name}.py": "MINE = 'from the package'\n",
    }
    assert lab.call(lab.function(files)) == "from the package"


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("index.py", "index.lambda_handler"),
        ("src/app/main.py", "src/app/main.lambda_handler"),
        ("src/app/main.py", "src.app.main.lambda_handler"),
    ],
)
def test_handler_names(lab: Lab, path: str, handler: str) -> None:
    """AWS Lambda, "Define Lambda function handler in Python": file.function, with folders."""
    assert lab.call(lab.function({path: ECHO}, handler=handler), {"a": 1}) == {"a": 1}


def test_files(lab: Lab) -> None:
    """AWS Lambda, "Lambda quotas" (/tmp 512 MB), "execution environment": /var/task can't be written."""
    source = """
import os
def lambda_handler(event, context):
    with open("/tmp/big", "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    try:
        open("/var/task/new", "w")
        written = "written"
    except OSError as error:
        written = os.strerror(error.errno)
    space = os.statvfs("/tmp")
    return [os.getcwd(), written, space.f_frsize * space.f_blocks >> 20, os.path.expanduser("~")]
"""
    answer = lab.call(lab.function(source, memory_mb=512))
    if CHOICES[wanted_here()[0]][0] != NAMESPACES:
        answer[2] = 512  # without namespaces no disk has a size of its own
    assert answer == ["/var/task", "Read-only file system", 512, "/home/sbx_user1051"]


def test_aws_api_knows_which_function_calls(lab: Lab) -> None:
    """AWS Lambda, "Lambda execution role": calls are the function's own; here its socket tells."""
    source = """
import boto3
def lambda_handler(event, context):
    return boto3.client("dynamodb").list_tables()["TableNames"]
"""
    assert lab.call(lab.function(source)) == ["images"]
    assert lab.callers == [Caller("function", BASE.arn)]


def test_vpc_function_has_an_interface_in_its_first_subnet(lab: Lab) -> None:
    """AWS Lambda, "Giving Lambda functions access to resources in an Amazon VPC"."""
    local = (RouteRecord("10.7.0.0/16", "local"),)
    subnets = (
        SubnetRecord("subnet-1", "vpc-1", "10.7.1.0/24", "ap-south-1a", local),
        SubnetRecord("subnet-2", "vpc-1", "10.7.2.0/24", "ap-south-1b", local),
    )
    group = GroupRecord("sg-1", "lambda", "vpc-1", (), (Permission("-1", -1, -1, cidr="0.0.0.0/0"),))
    lab.fabric.update(NetworkState((VpcRecord("vpc-1", "10.7.0.0/16"),), subnets, (group,)))
    inside = {
        "vpc_id": "vpc-1",
        "subnet_ids": ("subnet-1", "subnet-2"),
        "security_group_ids": ("sg-1",),
    }
    source = """
import socket
def lambda_handler(event, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.7.2.99", 9))
        return probe.getsockname()[0]
"""
    address = lab.call(lab.function(source, **inside))
    [interface] = lab.fabric.interfaces.values()
    assert address == lab.fabric.address_of(interface.name)
    assert str(address).startswith("10.7.1.")
    assert interface.security_group_ids == ("sg-1",)


# How functions fail.


def test_handler_exception_has_type_message_and_stack_trace(lab: Lab) -> None:
    """AWS Lambda, "Python function errors in Lambda"; the environment is kept."""
    source = """
count = 0
class OwnError(Exception): pass
def lambda_handler(event, context):
    global count
    count += 1
    raise OwnError(f"call {count}")
"""
    function = lab.function(source)
    first, second = lab.fail(function), lab.fail(function)
    assert first["errorType"] == "OwnError"
    assert first["errorMessage"] == "call 1"
    assert first["requestId"] == "11111111-2222-4333-8444-000000000000"
    assert first["stackTrace"] == [
        '  File "/var/task/lambda_function.py", line 7, in lambda_handler\n'
        '    raise OwnError(f"call {count}")\n'
    ]
    assert second["errorMessage"] == "call 2"
    assert any(line.startswith("[ERROR] OwnError: call 1\nTraceback") for line in lab.lines())


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        (
            "import nowhere\n",
            "lambda_function.lambda_handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'lambda_function': No module named 'nowhere'",
        ),
        (
            ECHO,
            "index.lambda_handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'index': No module named 'index'",
        ),
        (
            ECHO,
            "lambda_function.main",
            "Runtime.HandlerNotFound",
            "Handler 'main' missing on module 'lambda_function'",
        ),
        (
            "def broken(:\n",
            "lambda_function.lambda_handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'lambda_function': invalid syntax (lambda_function.py, line 1)",
        ),
        ("1 / 0\n", "lambda_function.lambda_handler", "ZeroDivisionError", "division by zero"),
    ],
)
def test_init_errors(lab: Lab, source: str, handler: str, error_type: str, message: str) -> None:
    """AWS Lambda, "Troubleshoot invocation issues", and "execution environment lifecycle": init is
    repeated with the first invocation, so the log has the error twice.
    """
    failure = lab.fail(lab.function(source, handler=handler))
    assert (failure["errorType"], failure["errorMessage"]) == (error_type, message)
    lines = lab.lines()
    pattern = (
        rf"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: (\w+)\tStatus: error\tError Type: {error_type}\n"
    )
    assert [match[1] for line in lines if (match := re.fullmatch(pattern, line))] == ["init", "invoke"]
    assert sum(line.startswith(f"[ERROR] {error_type}: {message}") for line in lines) == 2
    assert lines[-1].endswith(f"\tStatus: error\tError Type: {error_type}\t\n")
    assert lab.states() == []


def test_answer_that_is_no_json(lab: Lab) -> None:
    """AWS Lambda, "Define Lambda function handler in Python": what can't be serialised is an error."""
    failure = lab.fail(lab.function("def lambda_handler(event, context):\n    return {1, 2}\n"))
    assert failure["errorType"] == "Runtime.MarshalError"
    assert failure["errorMessage"] == (
        "Unable to marshal response: Object of type set is not JSON serializable"
    )


def test_time_out(lab: Lab) -> None:
    """AWS Lambda, "Configure Lambda function timeout" and "Troubleshoot": the environment is lost."""
    source = """
import time
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    print("before")
    time.sleep(event)
    return count
"""
    function = lab.function(source, timeout_seconds=1)
    assert lab.call(function, 0) == 1
    began = time.monotonic()
    failure = lab.fail(function, 60)
    assert time.monotonic() - began < 2
    request_id = "11111111-2222-4333-8444-000000000001"
    assert failure == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    said = lab.lines()[-4:]
    assert said[0] == "before\n"
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z {request_id} Task timed out after 1.00 seconds\n", said[1]
    )
    assert said[2] == f"END RequestId: {request_id}\n"
    assert "\tDuration: 1000.00 ms\t" in said[3]
    assert said[3].endswith("\tStatus: timeout\t\n")
    assert lab.call(function, 0) == 1


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit(1)", "Runtime exited with error: exit status 1"),
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
    ],
)
def test_process_exit(lab: Lab, statement: str, reason: str) -> None:
    """AWS Lambda, "Troubleshoot invocation issues in Lambda": Runtime.ExitError."""
    source = f"import os, sys\ndef lambda_handler(event, context):\n    {statement}\n"
    failure = lab.fail(lab.function(source))
    text = f"RequestId: 11111111-2222-4333-8444-000000000000 Error: {reason}"
    assert failure == {"errorType": "Runtime.ExitError", "errorMessage": text}
    lines = lab.lines()
    assert f"{text}\nRuntime.ExitError\n" in lines
    assert lines[-1].endswith("\tStatus: error\tError Type: Runtime.ExitError\t\n")


@pytest.mark.parametrize(
    "statement", ["[bytes(range(256)) * 4096 for _ in range(2000)]", "bytearray(10**11)"]
)
def test_out_of_memory(lab: Lab, statement: str) -> None:
    """AWS Lambda, "Configure Lambda function memory": the process is killed; REPORT says why."""
    source = f"def lambda_handler(event, context):\n    return len({statement})\n"
    failure = lab.fail(lab.function(source, memory_mb=128))
    text = "RequestId: 11111111-2222-4333-8444-000000000000 Error: Runtime exited with error: signal: killed"
    assert failure == {"errorType": "Runtime.ExitError", "errorMessage": text}
    report = lab.lines()[-1]
    assert "\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t" in report
    assert report.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\t\n")


def test_slow_init_is_repeated_with_the_functions_time_out(lab: Lab) -> None:
    """AWS Lambda, "Understanding the Lambda execution environment lifecycle": init phase limit."""
    source = f"import time\ntime.sleep(2)\n{ECHO}"
    assert lab.call(lab.function(source, timeout_seconds=5), 7) == 7
    reports = [line for line in lab.lines() if line.startswith("INIT_REPORT")]
    assert len(reports) == 1
    assert reports[0].endswith("\tPhase: init\tStatus: timeout\n")
    assert "Init Duration" not in lab.lines()[-1]


def test_answer_over_6_mb(lab: Lab) -> None:
    """AWS Lambda, "Lambda quotas": response payload; up to the limit it is whole."""
    function = lab.function("def lambda_handler(event, context):\n    return 'x' * event\n")
    assert lab.call(function, 6_291_454) == "x" * 6_291_454
    assert lab.fail(function, 6_291_600) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }


def test_event_over_6_mb(lab: Lab) -> None:
    """AWS Lambda, "Lambda quotas": request payload (RequestEntityTooLargeException)."""
    with pytest.raises(errors.RequestTooLarge) as caught:
        lab.invoke(lab.function(ECHO), "x" * 6_291_456)
    assert caught.value.message == (
        "6291458 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
    )


def test_printing_an_answer_forges_nothing(lab: Lab) -> None:
    """AWS Lambda, "Using the Lambda runtime API": answers come by the Runtime API alone."""
    source = """
import os
def lambda_handler(event, context):
    for number in (1, 2, 3):
        try:
            os.write(number, b'{"status": "ok", "result": "FORGED"}\\n')
        except OSError:
            pass
    return event
"""
    function = lab.function(source)
    assert [lab.call(function, number) for number in range(3)] == [0, 1, 2]


# Environments.


def test_warm_environment_is_used_again_and_a_changed_function_gets_a_new_one(lab: Lab) -> None:
    """AWS Lambda, "Understanding the Lambda execution environment lifecycle"."""
    source = """
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    open("/tmp/kept", "a").write("x")
    return [count, len(open("/tmp/kept").read())]
"""
    function = lab.function(source)
    assert [lab.call(function) for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]
    assert lab.call(replace(function, revision="after a change")) == [1, 1]


def test_concurrent_invocations_have_an_environment_each(lab: Lab, until: Callable[..., None]) -> None:
    """AWS Lambda, "Understanding Lambda function scaling": one invocation at a time in each; 429."""
    source = """
import os, time
def lambda_handler(event, context):
    open("/tmp/busy", "x").close()
    time.sleep(event)
    os.unlink("/tmp/busy")
    return event
"""
    function = lab.function(source)
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(lab.call(function, 0.6))) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: lab.states().count(State.BUSY) == 4, what="four busy environments")
    with pytest.raises(errors.TooManyRequests) as caught:
        lab.invoke(function, 0)
    for thread in threads:
        thread.join()
    assert answers == [0.6] * 4
    assert (caught.value.code, caught.value.reason) == (
        "TooManyRequestsException",
        "ConcurrentInvocationLimitExceeded",
    )


def test_reserved_concurrency(lab: Lab) -> None:
    """AWS Lambda, "Configuring reserved concurrency for a function": 0 stops every invocation."""
    with pytest.raises(errors.TooManyRequests) as caught:
        lab.invoke(lab.function(ECHO, reserved_concurrency=0))
    assert caught.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_deleted_function_leaves_no_environment(lab: Lab) -> None:
    """AWS Lambda, API reference of DeleteFunction."""
    function = lab.function(ECHO)
    lab.call(function)
    lab.service.reconcile([function])
    assert lab.states() == [State.READY]
    lab.service.reconcile([])
    lab.service.flush()
    assert lab.states() == []
    assert not lab.fabric.interfaces


def test_environment_that_died_between_invocations_swallows_no_event(
    lab: Lab, until: Callable[..., None]
) -> None:
    """AWS Lambda, "Understanding the Lambda execution environment lifecycle": a new one takes it."""
    source = """
import os, threading
def lambda_handler(event, context):
    if event:
        threading.Timer(0.05, os._exit, [7]).start()
    return "ok"
"""
    function = lab.function(source)
    assert lab.call(function, True) == "ok"
    until(lambda: lab.states() == [State.ENDED], what="the end of the environment")
    assert lab.call(function, False) == "ok"
    assert lab.states() == [State.READY]


# Logs.


def test_log_stream_of_an_environment(lab: Lab) -> None:
    """AWS Lambda, "Viewing CloudWatch logs for Lambda functions": one stream, START, END, REPORT."""
    source = """
import logging
print("loading")
logging.getLogger().setLevel(logging.INFO)
def lambda_handler(event, context):
    print("one\\ntwo")
    logging.info("a record\\nof two lines")
    print("no line end", end="")
"""
    function = lab.function(source)
    lab.call(function)
    lab.call(function)
    first, second = (f"11111111-2222-4333-8444-{number:012d}" for number in range(2))
    lines = lab.lines()
    assert len(lab.logs.streams) == 1
    assert lab.logs.groups == {(ROLE, "ap-south-1", "/aws/lambda/lab")}
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: "
        r"arn:aws:lambda:ap-south-1::runtime:[0-9a-f]{64}\n",
        lines[0],
    )
    assert lines[1:5] == ["loading\n", f"START RequestId: {first} Version: $LATEST\n", "one\n", "two\n"]
    assert re.fullmatch(rf"\[INFO\]\t[\d:.TZ-]+\t{first}\ta record\nof two lines\n", lines[5])
    assert lines[6:8] == ["no line end\n", f"END RequestId: {first}\n"]
    number = r"[\d.]+"
    report = (
        rf"REPORT RequestId: {{}}\tDuration: {number} ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB"
        rf"\tMax Memory Used: \d+ MB"
    )
    assert re.fullmatch(report.format(first) + rf"\tInit Duration: {number} ms\t\n", lines[8])
    assert lines[9] == f"START RequestId: {second} Version: $LATEST\n"
    assert re.fullmatch(report.format(second) + r"\t\n", lines[-1])


def test_log_tail(lab: Lab) -> None:
    """AWS Lambda, API reference of Invoke: LogType=Tail gives the last 4 KB of the log."""
    function = lab.function("def lambda_handler(event, context):\n    print('x' * event)\n")
    short = lab.invoke(function, 3, tail=True).log_tail
    assert re.fullmatch(r"START RequestId: \S+ Version: \$LATEST\nxxx\nEND [^\n]*\nREPORT [^\n]*\n", short)
    long = lab.invoke(function, 10_000, tail=True).log_tail
    assert len(long) == 4096
    assert long.startswith("xxx")
    assert lab.invoke(function, 3).log_tail == ""


def test_many_lines_are_kept_whole(lab: Lab) -> None:
    """AWS Lambda, "Log and monitor Python Lambda functions": each line is an event, in order."""
    source = """
def lambda_handler(event, context):
    for number in range(event):
        print(f"line {number}")
"""
    lab.call(lab.function(source), 20_000)
    assert [line for line in lab.lines() if line.startswith("line ")] == [
        f"line {number}\n" for number in range(20_000)
    ]


# Asynchronous invocation.


def test_event_invocation_is_tried_three_times(lab: Lab, until: Callable[..., None]) -> None:
    """AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation"."""
    function = lab.function("def lambda_handler(event, context):\n    raise ValueError(event)\n")
    request_id = "99999999-2222-4333-8444-555555555555"
    lab.service.invoke_event(function, b'"x"', request_id=request_id)
    until(lambda: lab.lines().count(f"END RequestId: {request_id}\n") == 3, what="the third try")
    assert lab.lines().count(f"START RequestId: {request_id} Version: $LATEST\n") == 3


# Deployment packages.


def test_package_that_is_no_zip(lab: Lab) -> None:
    """AWS Lambda, API reference of CreateFunction: InvalidParameterValueException."""
    function = lab.function(ECHO)
    lab.packages[function.arn] = b"no zip"
    with pytest.raises(errors.InvalidCode) as caught:
        lab.invoke(function)
    assert caught.value.code == "InvalidParameterValueException"
    assert caught.value.message == (
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )
    assert lab.states() == []
