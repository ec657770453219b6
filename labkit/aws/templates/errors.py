"""Errors of CloudFormation, with the codes and words that AWS uses.

What belongs here: the two ways in which things fail (at the call, or while a resource is made).
What does not: errors for people who use the kit; clients of the AWS API read these.
"""

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


def reason_of(error: Exception, service: str) -> str:
    """The event's reason for a failed call to `service`, in CloudFormation's form.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    """
    if not isinstance(error, ClientError):
        return str(error)
    details, meta = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f'Resource handler returned message: "{details["Message"]} (Service: {service.capitalize()}, '
        f"Status Code: {meta['HTTPStatusCode']}, Error Code: {details['Code']}, "
        f'Request ID: {meta.get("RequestId", "")})" (HandlerErrorCode: {_handler_code(details["Code"])})'
    )


def _handler_code(code: str) -> str:
    """https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html."""
    if "AccessDenied" in code or "Unauthorized" in code:
        return "AccessDenied"
    if "NotFound" in code or "NoSuch" in code:
        return "NotFound"
    if "AlreadyExist" in code or "Duplicate" in code or "AlreadyOwned" in code:
        return "AlreadyExists"
    if "Invalid" in code or "Validation" in code:
        return "InvalidRequest"
    return "GeneralServiceException"
