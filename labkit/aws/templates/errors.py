"""Errors of CloudFormation, with the codes and words that AWS uses.

What belongs here: the two ways in which things fail (at the call, or while a resource is made).
What does not: errors for people who use the kit; clients of the AWS API read these.
"""

import uuid
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError


class ApiError(Exception):
    """An action is refused at the call: the error's `code` and `message` go to the client."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ResourceFailed(Exception):
    """A resource could not be created, changed or deleted; the text is the event's reason."""


class Stopped(Exception):
    """The cloud is stopping: a stack operation ends where it stands."""


#: what a handler's call to the AWS API may raise, and what a handler raises itself
CALL_ERRORS = (ClientError, BotoCoreError, ResourceFailed)


def invalid(message: str, line: int | None = None) -> ApiError:
    """A ValidationError; `line` is the template's line that is to blame, where there is one."""
    return ApiError("ValidationError", message + at(line))


def at(line: int | None) -> str:
    """The words that name a line of the template, after a message."""
    return f" (line {line})" if line else ""


def not_emulated(what: str, line: int | None = None) -> ApiError:
    """Something AWS has and the local cloud does not: refused by name, never ignored."""
    return invalid(f"{what} is not emulated by the local cloud", line)


def names(items: Iterable[str]) -> str:
    """A list as CloudFormation prints it: `[A, B]`."""
    return "[" + ", ".join(items) + "]"


def code_of(error: Exception) -> str:
    """The AWS error code of `error`, or "" when the call never got an answer."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


#: what the SDK with which CloudFormation's handlers ask calls the services of which it does not write the first letter large alone
_SPOKEN = {"dynamodb": "DynamoDb", "logs": "CloudWatchLogs"}


def reason_of(error: Exception, service: str) -> str:
    """The event's reason for a failed call to `service`, in CloudFormation's form.

    As accounts record it since 2025; S3 alone tells a second id. The call's error code is not told.
    """
    if not isinstance(error, ClientError):
        return str(error)
    details, meta = error.response["Error"], error.response["ResponseMetadata"]
    ids = f"Request ID: {meta.get('RequestId', '')}"
    if service == "s3":
        ids += f", Extended Request ID: {meta.get('HostId', '')}"
    status = meta["HTTPStatusCode"]
    return (
        f'Resource handler returned message: "{details["Message"]} '
        f"(Service: {_SPOKEN.get(service, service.capitalize())}, Status Code: {status}, {ids}) "
        f'(SDK Attempt Count: 1)" (RequestToken: {uuid.uuid4()}, '
        f"HandlerErrorCode: {_handler_code(details['Code'], status)})"
    )


def _handler_code(code: str, status: int) -> str:
    """https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html.

    What is recorded of EC2: an unknown id in a request is no NotFound, a range that another subnet has AlreadyExists.
    """
    if status in (401, 403) or "AccessDenied" in code:
        return "AccessDenied"
    if status == 404 or "ResourceNotFound" in code:
        return "NotFound"
    if any(word in code for word in ("AlreadyExist", "Duplicate", "AlreadyOwned", ".Conflict", "VolumeInUse")):
        return "AlreadyExists"
    if "LimitExceeded" in code:
        return "ServiceLimitExceeded"
    return "InvalidRequest" if status == 400 else "GeneralServiceException"
