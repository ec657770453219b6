"""Invoking: what Invoke answers, and that every trigger comes to the data plane."""

import base64
import io
import json
import zipfile

import pytest

from labkit.aws.records import InvocationResult
from labkit.cloud.functions.errors import RequestTooLarge, TooManyRequests


@pytest.fixture
def function(aws):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("index.py", "")
    return aws.lambda_.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="index.h",
        Role=aws.role(),
        Code={"ZipFile": data.getvalue()},
    )["FunctionArn"]


def test_answer_is_the_functions(aws, function):
    """Lambda API reference, Invoke: payload, executed version, request id."""
    aws.calls.result = InvocationResult(b'{"n": 1}')
    answer = aws.lambda_.invoke(FunctionName="f", Payload=b'{"a": "\xc3\xa9"}')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(answer["Payload"].read()) == {"n": 1}
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    ((record, payload, options),) = aws.calls.invoked
    assert (record.arn, record.version, payload) == (function, "$LATEST", b'{"a": "\xc3\xa9"}')
    assert options["invocation_type"] == "RequestResponse"
    assert options["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert options["tail"] is False


def test_no_payload_is_an_empty_object(aws, function):
    """Lambda API reference, Invoke: Payload is optional."""
    aws.lambda_.invoke(FunctionName=function)
    assert aws.calls.invoked[0][1] == b"{}"


def test_failure_of_the_function_is_marked(aws, function):
    """Lambda API reference, Invoke: FunctionError."""
    aws.calls.result = InvocationResult(b'{"errorMessage": "no"}', function_error="Unhandled")
    answer = aws.lambda_.invoke(FunctionName="f")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")


def test_log_tail_comes_on_request(aws, function):
    """Lambda API reference, Invoke: LogType."""
    aws.calls.result = InvocationResult(b"null", log_tail="START\nEND\n")
    answer = aws.lambda_.invoke(FunctionName="f", LogType="Tail")
    assert base64.b64decode(answer["LogResult"]) == b"START\nEND\n"
    assert aws.calls.invoked[0][2]["tail"] is True


def test_dry_run_runs_nothing(aws, function):
    """Lambda API reference, Invoke: DryRun answers 204."""
    assert aws.lambda_.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert aws.calls.invoked == []


def test_event_is_accepted_without_an_answer(aws, function):
    """Lambda API reference, Invoke: Event answers 202."""
    answer = aws.lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert aws.calls.invoked[0][2]["invocation_type"] == "Event"


def test_qualifier_chooses_the_version(moto):
    """Lambda API reference, Invoke: Qualifier, also inside the name."""
    with moto.corrected() as aws:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("index.py", "")
        aws.lambda_.create_function(
            FunctionName="f",
            Runtime="python3.13",
            Handler="i.h",
            Role=aws.role(),
            Code={"ZipFile": data.getvalue()},
        )
        aws.lambda_.publish_version(FunctionName="f")
        aws.lambda_.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        for name in ({"FunctionName": "f", "Qualifier": "1"}, {"FunctionName": "f:live"}):
            aws.lambda_.invoke(**name)
        assert [record.version for record, _, _ in aws.calls.invoked] == ["1", "1"]


def test_unknown_function_and_broken_json_are_refused(aws, function, refusal):
    """Lambda API reference, Invoke: errors."""
    invoke = aws.lambda_.invoke
    assert refusal(invoke, FunctionName="g").startswith(
        "ResourceNotFoundException: Function not found: arn:aws:"
    )
    assert refusal(invoke, FunctionName="f", Payload=b"{no").startswith(
        "InvalidRequestContentException: Could not parse request body into json: "
    )


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (TooManyRequests(reserved=True), 429, "TooManyRequestsException: Rate Exceeded."),
        (
            RequestTooLarge(7_000_000, invocation_type="RequestResponse", limit=6_291_456),
            413,
            "RequestEntityTooLargeException: 7000000 byte payload is too large for the RequestResponse "
            "invocation type (limit 6291456 bytes)",
        ),
    ],
)
def test_refusals_of_the_data_plane_are_lambdas(aws, function, refusal, error, status, text):
    """Lambda API reference, Invoke: errors and their HTTP status."""
    aws.calls.refuse = error
    assert refusal(aws.lambda_.invoke, FunctionName="f") == text
    with pytest.raises(aws.lambda_.exceptions.ClientError) as caught:
        aws.lambda_.invoke(FunctionName="f")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_messages_of_sns_send_events(aws, function):
    """Lambda developer guide, "Invoking Lambda functions with Amazon SNS notifications": asynchronous."""
    topic = aws.sns.create_topic(Name="t")["TopicArn"]
    aws.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    aws.sns.publish(TopicArn=topic, Message="hello")
    ((_, payload, options),) = aws.calls.invoked
    assert json.loads(payload)["Records"][0]["Sns"]["Message"] == "hello"
    assert options["invocation_type"] == "Event"


@pytest.mark.parametrize(("failure", "left"), [("", 0), ("Unhandled", 1)])
def test_messages_of_sqs_wait_for_the_answer(aws, function, until, failure, left):
    """Lambda developer guide, "Using Lambda with Amazon SQS": a message goes when the function succeeds."""
    aws.calls.result = InvocationResult(b"null", function_error=failure)
    queue = aws.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
    aws.sqs.send_message(QueueUrl=queue, MessageBody="hello")
    until(lambda: aws.calls.invoked)
    assert aws.calls.invoked[0][2]["invocation_type"] == "RequestResponse"
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def counted():
        shown = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(shown[name]) for name in names)

    until(lambda: counted() == left)
