import json
import signal

import pytest

from labkit.cloud.functions.outcomes import Ending, Exited, Outcome, TimedOut, outcome
from labkit.cloud.functions.runtime_api import Message


def judged(ending: Ending) -> Outcome:
    return outcome(ending, request_id="id", timeout_seconds=3)


def test_response() -> None:
    assert judged(Message("response", b"1")) == Outcome(b"1")


def test_error_keeps_the_environment() -> None:
    """AWS Lambda, "Python function errors in Lambda"."""
    assert judged(Message("error", b"{}", "E")) == Outcome(b"{}", "Unhandled")


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (0, "Runtime exited without providing a reason", "Runtime.ExitError"),
        (1, "Runtime exited with error: exit status 1", "Runtime.ExitError"),
        (-signal.SIGSEGV, "Runtime exited with error: signal: segmentation fault", "Runtime.ExitError"),
        (-signal.SIGABRT, "Runtime exited with error: signal: aborted", "Runtime.ExitError"),
        (-signal.SIGKILL, "Runtime exited with error: signal: killed", "Runtime.OutOfMemory"),
        (137, "Runtime exited with error: signal: killed", "Runtime.OutOfMemory"),
    ],
)
def test_exit(code: int, text: str, shown: str) -> None:
    """AWS Lambda, "Troubleshoot invocation issues in Lambda": Runtime.ExitError."""
    result = judged(Exited(code))
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id Error: {text}",
    }
    assert (result.status, result.error_type, result.reusable) == ("error", shown, False)
    assert result.note == f"RequestId: id Error: {text}\nRuntime.ExitError\n"


def test_time_out() -> None:
    """AWS Lambda, "Configure Lambda function timeout"."""
    result = judged(TimedOut())
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    assert (result.status, result.error_type, result.reusable) == ("timeout", "", False)
