"""Invoking functions: every way in moto leads to one function of the data plane.

What belongs here: Invoke's request and answer, and the way from other services' triggers. What does not:
running anything, limits and failures of functions (labkit.cloud.functions).

AWS: Lambda API reference, Invoke.
"""

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from labkit.aws.records import FunctionRecord, InvocationResult
from labkit.cloud.functions.errors import FunctionServiceError
from labkit.cloud.moto_seam.errors import lambda_error
from labkit.cloud.moto_seam.functions.lambda_records import record_of
from labkit.cloud.moto_seam.replacing import Replacements

if TYPE_CHECKING:
    from collections.abc import Mapping

#: services that poll for their functions and wait for the answer; the others send events and go on
WAITING = ("aws:sqs", "aws:dynamodb", "aws:kinesis")
INVOCATION_TYPES = ("RequestResponse", "Event", "DryRun")

Answer = tuple[int, dict[str, str], bytes]


class Invoke(Protocol):
    """Runs a function. With "Event" it queues the payload and returns at once; the result is dropped."""

    def __call__(
        self,
        function: FunctionRecord,
        payload: bytes,
        *,
        invocation_type: str,
        request_id: str,
        tail: bool,
    ) -> InvocationResult:
        """Raises FunctionServiceError when Lambda would refuse the call."""
        ...


def correct_invoke(replacements: Replacements, invoke: Invoke) -> None:
    """Direct calls and the triggers of SQS, SNS, S3, DynamoDB streams and logs all come to `invoke`."""
    from moto.awslambda.models import LambdaFunction
    from moto.awslambda.responses import LambdaResponse

    def direct(original: Any, self: Any) -> Answer:
        name = unquote(self.path.rsplit("/", 2)[-2])
        qualifier = self.querystring.get("Qualifier", [None])[0]
        function = self.backend.get_function(name, qualifier)
        return _direct(invoke, function, self.raw_body or b"{}", self.headers)

    def triggered(original: Any, self: Any, body: str, request_headers: Any, response_headers: Any) -> bytes:
        return _triggered(invoke, record_of(self), body.encode(), response_headers)

    replacements.around(LambdaResponse, "invoke")(direct)
    replacements.around(LambdaFunction, "invoke")(triggered)


def _direct(invoke: Invoke, function: Any, payload: bytes, headers: "Mapping[str, str]") -> Answer:
    kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
    tail = headers.get("X-Amz-Log-Type") == "Tail"
    if kind not in INVOCATION_TYPES:
        raise lambda_error("InvalidParameterValueException", f"Unknown invocation type: {kind}")
    _check_json(payload)
    request_id = str(uuid.uuid4())
    answer = {"x-amzn-requestid": request_id, "content-type": "application/json"}
    if kind == "DryRun":
        return 204, {**answer, "status": "204"}, b""
    record = record_of(function)
    try:
        result = invoke(record, payload, invocation_type=kind, request_id=request_id, tail=tail)
    except FunctionServiceError as refused:
        return _refusal(refused, answer)
    if kind == "Event":
        return 202, {**answer, "status": "202"}, b""
    answer["x-amz-executed-version"] = result.version
    if result.function_error:
        answer["x-amz-function-error"] = result.function_error
    if tail:
        answer["x-amz-log-result"] = base64.b64encode(result.log_tail.encode()).decode()
    return 200, {**answer, "status": "200"}, result.payload


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except ValueError as error:
        words = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise lambda_error("InvalidRequestContentException", words) from error


def _refusal(refused: FunctionServiceError, answer: dict[str, str]) -> Answer:
    body = {"Type": "User" if refused.status < 500 else "Service", "Message": refused.message}
    if refused.reason:
        body["Reason"] = refused.reason
    headers = {**answer, "status": str(refused.status), "x-amzn-errortype": refused.code}
    return refused.status, headers, json.dumps(body).encode()


def _triggered(invoke: Invoke, function: FunctionRecord, payload: bytes, headers: dict[str, str]) -> bytes:
    kind = "RequestResponse" if _waits(payload) else "Event"
    request_id = str(uuid.uuid4())
    try:
        result = invoke(function, payload, invocation_type=kind, request_id=request_id, tail=False)
    except FunctionServiceError as refused:
        headers["x-amz-function-error"] = refused.code
        return b""
    if result.function_error:
        headers["x-amz-function-error"] = result.function_error
    return result.payload


def _waits(payload: bytes) -> bool:
    records = json.loads(payload).get("Records") or [{}]
    return records[0].get("eventSource") in WAITING
