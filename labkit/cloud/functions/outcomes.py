"""How an invocation ended, in AWS's shapes and words.

What belongs here: pure functions from what happened (a message of the runtime, the end of its process,
the end of its time) to what Invoke answers. What does not: anything that acts.

AWS Lambda, "Troubleshoot invocation issues in Lambda" and "Python function errors in Lambda".
"""

import json
import signal
from dataclasses import dataclass

from labkit.cloud.functions.runtime_api import MAX_RESPONSE, Message

#: with this the bootstrap ends when the function has used up its memory: the shell's number for SIGKILL
OUT_OF_MEMORY = 137


@dataclass(frozen=True)
class Exited:
    """The runtime's process has ended; `code` as Sandbox.wait gives it."""

    code: int


@dataclass(frozen=True)
class TimedOut:
    """The time was over before anything else happened."""


@dataclass(frozen=True)
class NoEntry:
    """The package has no program of its own that could be started."""


Ending = Message | Exited | TimedOut | NoEntry
_NO_BOOTSTRAP = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"


@dataclass(frozen=True)
class Outcome:
    """What Invoke answers, and what the environment's log says of it.

    `status` and `error_type` stand in the REPORT line; `note` is a line of Lambda's own ("" for none);
    `reusable` says whether the environment may take another invocation.
    """

    payload: bytes
    function_error: str = ""
    status: str = ""
    error_type: str = ""
    note: str = ""
    reusable: bool = True


def outcome(ending: Ending, *, request_id: str, timeout_seconds: int) -> Outcome:
    """What `ending` means for the invocation `request_id`."""
    match ending:
        case Message(kind="response"):
            return Outcome(ending.body)
        case Message(kind="error"):
            return Outcome(ending.body, "Unhandled")
        case Message(kind="init_error"):
            return Outcome(ending.body, "Unhandled", "error", init_error_type(ending), reusable=False)
        case Message():
            text = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            return _platform_error("Function.ResponseSizeTooLarge", text)
        case Exited():
            return _exited(ending, request_id)
        case NoEntry():
            return _ended(request_id, _NO_BOOTSTRAP, "Runtime.InvalidEntrypoint")
        case TimedOut():
            return _timed_out(request_id, timeout_seconds)


def init_error_type(ending: Ending) -> str:
    """The error type that INIT_REPORT and REPORT show; "" for a time-out."""
    match ending:
        case Message():
            return ending.error_type or "Runtime.Unknown"
        case Exited():
            return _exit_type(ending)
        case NoEntry():
            return "Runtime.InvalidEntrypoint"
        case TimedOut():
            return ""


def _platform_error(error_type: str, text: str) -> Outcome:
    payload = json.dumps({"errorType": error_type, "errorMessage": text}).encode()
    return Outcome(payload, "Unhandled", "error", error_type, reusable=False)


def _timed_out(request_id: str, seconds: int) -> Outcome:
    text = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    payload = json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": text}).encode()
    return Outcome(payload, "Unhandled", "timeout", reusable=False)


def _exited(ending: Exited, request_id: str) -> Outcome:
    """AWS calls it Runtime.ExitError in the answer even when REPORT says Runtime.OutOfMemory."""
    return _ended(request_id, _exit_text(ending.code), "Runtime.ExitError", _exit_type(ending))


def _ended(request_id: str, words: str, kind: str, reported: str = "") -> Outcome:
    text = f"RequestId: {request_id} Error: {words}"
    payload = json.dumps({"errorType": kind, "errorMessage": text}).encode()
    return Outcome(payload, "Unhandled", "error", reported or kind, f"{text}\n{kind}\n", reusable=False)


def _exit_type(ending: Exited) -> str:
    return "Runtime.OutOfMemory" if _was_killed(ending.code) else "Runtime.ExitError"


def _was_killed(code: int) -> bool:
    return code in (-signal.SIGKILL, OUT_OF_MEMORY)


def _exit_text(code: int) -> str:
    if _was_killed(code):
        return "Runtime exited with error: signal: killed"
    if code < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    return "Runtime exited without providing a reason"
