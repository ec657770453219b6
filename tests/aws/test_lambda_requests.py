"""Lambda: what a request says of a function is looked at before anything is done."""

import base64
import datetime
import io
import json
import zipfile

import pytest

from labkit.aws import runtimes

SOURCE = "def lambda_handler(event, context): return 1\n"


@pytest.mark.parametrize("runtime", ["nodejs22.x", "java21", "ruby3.4"])
def test_a_runtime_that_is_not_pythons_is_refused_by_name(live, aids, runtime):
    """AWS Lambda, "Lambda runtimes": the local cloud never runs another language's code by Python."""
    words = f"The local cloud does not emulate the runtime {runtime}: functions run in Python here, or by a bootstrap of their own (provided.al2023)."
    assert aids.refused(live.function, source=SOURCE, Runtime=runtime) == ("UnsupportedOperation", words)


BOOTSTRAP = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
    event=$(curl -sS -D /tmp/headers $api/next)
    id=$(tr -d '\\r' < /tmp/headers | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
    echo "got $event"
    curl -sS $api/$id/response -d "{\\"event\\": $event, \\"handler\\": \\"$_HANDLER\\"}"
done
"""


def with_bootstrap(mode):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = mode << 16
        archive.writestr(entry, BOOTSTRAP)
    return {"Runtime": "provided.al2023", "Handler": "mine", "Code": {"ZipFile": data.getvalue()}}


def test_a_package_brings_its_own_runtime(live):
    """Lambda developer guide, "Building a custom runtime for AWS Lambda": the executable file bootstrap."""
    name = live.function("", **with_bootstrap(0o755))
    assert live.call(name, [1]) == {"event": [1], "handler": "mine"}
    assert live.call(name, [2])["event"] == [2]
    answer = live.lambda_.invoke(FunctionName=name, LogType="Tail", Payload=b"[3]")
    assert "got [3]" in base64.b64decode(answer["LogResult"]).decode()


def test_a_bootstrap_that_can_not_be_run_is_said(live):
    """Lambda developer guide, "Troubleshoot deployment issues": Runtime.InvalidEntrypoint."""
    answer = live.lambda_.invoke(FunctionName=live.function("", **with_bootstrap(0o644)))
    error = json.loads(answer["Payload"].read())
    assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")
    assert "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]" in error["errorMessage"]


def test_days_of_creation_and_update_are_apart():
    """AWS Lambda, "Lambda runtimes", "Deprecated runtimes": Block function create, Block function update."""
    before, between, after = (datetime.date(2027, month, 15) for month in (1, 2, 3))
    assert [runtimes.closed("python3.9", update=False, day=day) for day in (before, between, after)] == [
        False,
        True,
        True,
    ]
    assert [runtimes.closed("python3.9", update=True, day=day) for day in (before, between, after)] == [
        False,
        False,
        True,
    ]
    assert "python3.9" in runtimes.taken(before)
    assert "python3.7" not in runtimes.taken(before)


def test_a_new_function_is_pending_and_then_active(live, aids):
    """AWS Lambda, "Lambda function states": an invocation of a function that is Pending is refused."""
    name, more = live.name("pending"), {"Runtime": "python3.13", "Handler": "lambda_function.lambda_handler"}
    code = {"ZipFile": aids.zipped({"lambda_function.py": SOURCE})}
    made = live.lambda_.create_function(FunctionName=name, Role=live.role(), Code=code, **more)
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    code, words = aids.refused(live.lambda_.invoke, FunctionName=name)
    assert (code, words.endswith("state: Pending")) == ("ResourceConflictException", True)
    live.lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    assert live.call(name) == 1


def test_versions_and_revisions_are_minded(live, aids):
    """Lambda API reference, DeleteFunction, UpdateFunctionConfiguration, UpdateAlias (RevisionId)."""
    api, name = live.lambda_, live.function(SOURCE)
    assert api.publish_version(FunctionName=name)["Version"] == "1"
    api.create_alias(FunctionName=name, Name="prod", FunctionVersion="1")
    assert (
        aids.refused(api.delete_function, FunctionName=name, Qualifier="1")[0] == "ResourceConflictException"
    )
    assert (
        aids.refused(api.delete_function, FunctionName=name, Qualifier="$LATEST")[0]
        == "InvalidParameterValueException"
    )
    stale = {"FunctionName": name, "RevisionId": "stale"}
    for call, more in (
        (api.update_function_configuration, {"Timeout": 9}),
        (api.publish_version, {}),
        (api.update_alias, {"Name": "prod"}),
    ):
        assert aids.refused(call, **stale, **more)[0] == "PreconditionFailedException"
    revision = api.get_function_configuration(FunctionName=name)["RevisionId"]
    assert (
        api.update_function_configuration(FunctionName=name, RevisionId=revision, Timeout=9)["Timeout"] == 9
    )


def test_functions_elsewhere_are_not_reachable(live, aids):
    """Lambda API reference, "Common errors": an ARN of another region is no function of this one."""
    name = live.function(SOURCE)
    arn = f"arn:aws:lambda:us-west-2:123456789012:function:{name}"
    code, words = aids.refused(live.lambda_.get_function_configuration, FunctionName=arn)
    assert (code, words.startswith("Functions from 'us-west-2' are not reachable")) == (
        "ResourceNotFoundException",
        True,
    )


def test_permissions_are_given_once_to_somebody(live, aids):
    """Lambda API reference, AddPermission: a statement id is used once, a principal is one."""
    name, asked = live.function(SOURCE), {"Action": "lambda:InvokeFunction", "StatementId": "s"}
    live.lambda_.add_permission(FunctionName=name, Principal="s3.amazonaws.com", **asked)
    assert (
        aids.refused(live.lambda_.add_permission, FunctionName=name, Principal="s3.amazonaws.com", **asked)[0]
        == "ResourceConflictException"
    )
    asked["StatementId"] = "t"
    assert (
        aids.refused(live.lambda_.add_permission, FunctionName=name, Principal="s3.amazon.com", **asked)[0]
        == "InvalidParameterValueException"
    )


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:q"}}, "DeadLetterConfig of CreateFunction"),
     ({"LoggingConfig": {"LogFormat": "JSON"}}, "LogFormat JSON of LoggingConfig"), ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig of CreateFunction"),
     ({"Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:l:1"]}, "Layers of CreateFunction")],
)  # fmt: skip
def test_settings_that_nothing_stands_behind_are_refused_by_name(live, aids, settings, what):
    """Lambda API reference, CreateFunction: nothing is taken and dropped."""
    assert aids.refused(live.function, source=SOURCE, **settings) == (
        "UnsupportedOperation",
        f"The local cloud does not emulate {what}.",
    )


def test_a_step_waits_for_a_function_that_is_not_active_yet(live, aids) -> None:
    """Lambda developer guide, "Lambda function states": Pending functions can't be invoked."""
    from labkit.lesson.path.invoking import invoke

    source = "def lambda_handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"
    name = live.name("new")
    made = live.lambda_.create_function(
        FunctionName=name, Runtime="python3.13", Handler="lambda_function.lambda_handler", Role=live.role(),
        Code={"ZipFile": aids.zipped({"lambda_function.py": source})},
    )  # fmt: skip
    assert made["State"] == "Pending"
    assert invoke(live.clients, name, {}).status == 200
