"""The refusals of Lambda's API that come from the data plane, with AWS's codes and words.

What belongs here: exceptions that the API layer turns into AWS's error answers. What does not: a
function's own failure, which is a result (see outcomes).
"""

#: what a function may be given in one synchronous call, and in one asynchronous call
MAX_REQUEST = 6_291_456
MAX_EVENT = 1_048_576


class FunctionServiceError(Exception):
    """A call that Lambda refuses: `code` and `status` are AWS's, `message` its words."""

    code = "ServiceException"
    status = 500

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class TooManyRequests(FunctionServiceError):
    """The account's or the function's concurrency is used up; `reason` says which.

    AWS Lambda, "Understanding Lambda function scaling" and the API reference of Invoke.
    """

    code = "TooManyRequestsException"
    status = 429

    def __init__(self, *, reserved: bool) -> None:
        scope = "ReservedFunctionConcurrent" if reserved else "Concurrent"
        super().__init__("Rate Exceeded.", reason=f"{scope}InvocationLimitExceeded")


class RequestTooLarge(FunctionServiceError):
    """The event is over the quota of its invocation type (AWS Lambda, "Lambda quotas")."""

    code = "RequestEntityTooLargeException"
    status = 413

    def __init__(self, size: int, *, invocation_type: str, limit: int) -> None:
        super().__init__(
            f"{size} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
        )


class InvalidRequestContent(FunctionServiceError):
    """The event is no JSON (AWS Lambda, API reference of Invoke)."""

    code = "InvalidRequestContentException"
    status = 400

    def __init__(self, why: str) -> None:
        super().__init__(f"Could not parse request body into json: {why}")


class InvalidCode(FunctionServiceError):
    """The deployment package can't be used (AWS Lambda, API reference of CreateFunction)."""

    code = "InvalidParameterValueException"
    status = 400


class ServiceClosed(FunctionServiceError):
    """The cloud is shutting down."""

    def __init__(self) -> None:
        super().__init__("The service is shutting down.")
