"""Lambda together with IAM, VPC and Logs, through the API of a whole cloud."""

import time
from typing import Any

import pytest

HELLO = "def lambda_handler(event, context):\n    print('hello')\n    return event\n"
LOGS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "*",
}
SLOW = "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n    return event\n"


def test_a_role_that_lambda_may_not_assume_is_refused(live: Any, aids: Any) -> None:
    """AWS Lambda, "Lambda execution role": it must trust lambda.amazonaws.com."""
    role = live.role(service="ec2.amazonaws.com")
    code, message = aids.refused(live.function, source=HELLO, Role=role)
    assert code == "InvalidParameterValueException"
    assert message == "The role defined for the function cannot be assumed by Lambda."


def test_a_role_that_may_not_make_network_interfaces_is_refused_in_a_vpc(live: Any, aids: Any) -> None:
    """AWS Lambda, "Giving Lambda functions access to resources in an Amazon VPC": required permissions."""
    vpc, role = live.vpc(), live.role(LOGS)
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    code, message = aids.refused(live.function, source=HELLO, Role=role, VpcConfig=settings)
    assert code == "InvalidParameterValueException"
    assert "CreateNetworkInterface" in message
    assert live.run(HELLO, 1, Role=role) == 1


def test_the_log_group_makes_itself_and_keeps_everything(live: Any, aids: Any) -> None:
    """AWS Lambda, "Sending Lambda function logs to CloudWatch Logs": /aws/lambda/<name>, no retention."""
    name = live.function(HELLO, Role=live.role(LOGS))
    live.call(name)

    def groups() -> Any:
        return live.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]

    (group,) = aids.eventually(groups)
    assert group["logGroupName"] == f"/aws/lambda/{name}"
    assert "retentionInDays" not in group


def test_the_answers_request_id_is_the_one_in_the_log(live: Any, aids: Any) -> None:
    """AWS Lambda API reference, Invoke: x-amzn-RequestId is what START, END and REPORT of this call say."""
    name = live.function(HELLO, Role=live.role(LOGS))
    answer = live.lambda_.invoke(FunctionName=name, Payload=b"1")
    request_id = answer["ResponseMetadata"]["RequestId"]

    def lines() -> Any:
        found = live.logs.filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{request_id}"'
        )
        return [event["message"].partition(" ")[0] for event in found["events"]]

    aids.eventually(
        lambda: live.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    )
    assert aids.eventually(lines) == ["START", "END", "REPORT"]


def test_without_the_right_to_write_there_are_no_logs(live: Any) -> None:
    """AWS Lambda, "Lambda execution role": without logs:PutLogEvents nothing is written, nothing fails."""
    name = live.function(HELLO, Role=live.role({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    assert live.call(name, 7) == 7
    live.call(live.function(HELLO, Role=live.role(LOGS)))
    assert live.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"] == []


def test_new_code_and_new_environment_take_the_next_invocation(live: Any, aids: Any) -> None:
    """AWS Lambda API reference, UpdateFunctionCode and UpdateFunctionConfiguration."""
    source = "import os\ndef lambda_handler(e, c):\n    return ['{}', os.environ.get('COLOUR')]\n"
    name = live.function(source.format("old"))
    assert live.call(name) == ["old", None]
    live.lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "red"}}
    )
    assert live.call(name) == ["old", "red"]
    live.lambda_.update_function_code(
        FunctionName=name, ZipFile=aids.zipped({"lambda_function.py": source.format("new")})
    )
    assert live.call(name) == ["new", "red"]


def test_reserved_concurrency_of_zero_throttles(live: Any, aids: Any) -> None:
    """AWS Lambda, "Configuring reserved concurrency": 0 throttles every request, with a 429."""
    name = live.function(HELLO)
    live.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    code, message = aids.refused(live.lambda_.invoke, FunctionName=name)
    assert (code, message) == ("TooManyRequestsException", "Rate Exceeded.")
    live.lambda_.delete_function_concurrency(FunctionName=name)
    assert live.call(name, 1) == 1


def test_a_drop_is_a_time_out_by_the_callers_own_clock(live: Any) -> None:
    """VPC user guide, "Security groups": dropped packets are not answered, so the caller waits."""
    source = """
import socket, time
def lambda_handler(event, context):
    start = time.monotonic()
    try:
        socket.create_connection(("10.0.1.77", 80), timeout=event)
    except TimeoutError:
        return time.monotonic() - start
"""
    vpc = live.vpc()
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    assert 0.6 <= live.run(source, 0.6, VpcConfig=settings) < 2


def test_a_retired_runtime_is_refused(live: Any, aids: Any) -> None:
    """AWS Lambda, "Lambda runtimes", "Deprecated runtimes": creation is blocked."""
    code, message = aids.refused(live.function, source=HELLO, Runtime="python3.7")
    assert code == "InvalidParameterValueException"
    assert "python3.7" in message


@pytest.mark.parametrize("runtime", ["python3.13", "python3.11"])
def test_current_runtimes_are_taken(live: Any, runtime: str) -> None:
    """AWS Lambda, "Lambda runtimes", "Supported runtimes"."""
    assert live.run(HELLO, runtime, Runtime=runtime) == runtime


def test_an_unknown_subnet_or_group_is_refused(live: Any, aids: Any) -> None:
    """AWS Lambda API reference, CreateFunction, VpcConfig."""
    vpc = live.vpc()
    settings = {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": [vpc.group]}
    assert (
        aids.refused(live.function, source=HELLO, VpcConfig=settings)[0] == "InvalidParameterValueException"
    )


def test_a_missing_handler_is_told_at_the_invocation(live: Any) -> None:
    """AWS Lambda, "Troubleshoot invocation issues": Runtime.HandlerNotFound, the creation succeeds."""
    import json

    name = live.function("def other(e, c): pass\n")
    answer = live.lambda_.invoke(FunctionName=name)
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.HandlerNotFound"


@pytest.mark.parametrize(
    "body",
    [
        "import os\n    os.write(1, b'x' * (20 << 20))",
        "import os\n    [os.fork() for _ in range(3)]",
        "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
        "import os\n    os.write(1, b'{\"forged\": true}')",
        "while True: pass",
    ],
)
def test_a_wild_function_harms_nobody_else(live: Any, body: str) -> None:
    """AWS Lambda, "Understanding the Lambda execution environment lifecycle": each environment is its own."""
    wild = live.function(f"def lambda_handler(event, context):\n    {body}\n", Timeout=1)
    began = time.monotonic()
    live.lambda_.invoke(FunctionName=wild)["Payload"].read()
    assert time.monotonic() - began < 20
    assert live.run(HELLO, "alive") == "alive"


def test_a_package_that_is_no_zip_is_refused(live: Any, aids: Any) -> None:
    """AWS Lambda API reference, CreateFunction: InvalidParameterValueException."""
    code, message = aids.refused(live.function, source="", Code={"ZipFile": b"no zip at all"})
    assert code == "InvalidParameterValueException"
    assert message == "Could not unzip uploaded file. Please check your file, then try to upload again."


def test_an_asynchronous_failure_is_tried_again(live: Any) -> None:
    """AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation": accepted with 202."""
    name = live.function(SLOW)
    answer = live.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b"0")
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
