"""Lambda's own lines in a log stream, and the name of the stream.

What belongs here: AWS's words. What does not: what the function says (see logs).

AWS Lambda, "Understanding the Lambda execution environment lifecycle" and "Viewing CloudWatch logs for
Lambda functions". Since August 2025 the billed duration has the init in it.
"""

import hashlib
import math
import re
import secrets
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """What an invocation took. `init_ms` is None when the environment was warm."""

    duration_ms: float
    memory_size_mb: int
    memory_used_mb: int
    init_ms: float | None = None


def stream_name(version: str, *, now: float) -> str:
    """The log stream of a new environment, which begins at `now` (seconds since the epoch)."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime(now))}/[{version}]{secrets.token_hex(16)}"


def init_start(region: str, runtime: str) -> str:
    """The first line of a stream: "python3.13" is shown as "python:3.13.v1", with an ARN to match."""
    version = re.sub(r"^([a-z]+)\.?", r"\1:", runtime) + ".v1"
    digest = hashlib.sha256(version.encode()).hexdigest()
    return f"INIT_START Runtime Version: {version}\tRuntime Version ARN: arn:aws:lambda:{region}::runtime:{digest}\n"


def init_report(init_ms: float, *, phase: str, status: str, error_type: str = "") -> str:
    """The line about an init that failed."""
    text = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
    return f"{text}\tError Type: {error_type}\n" if error_type else f"{text}\n"


def start(request_id: str, version: str) -> str:
    """The line before an invocation."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    """The line after an invocation."""
    return f"END RequestId: {request_id}\n"


def timed_out(request_id: str, seconds: int, *, now: float) -> str:
    """The line in which a time-out is said."""
    instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    return f"{instant} {request_id} Task timed out after {seconds:.2f} seconds\n"


def report(request_id: str, usage: Usage, *, status: str = "", error_type: str = "") -> str:
    """The last line of an invocation. `status` is "", "timeout" or "error"."""
    billed = math.ceil(usage.duration_ms + (usage.init_ms or 0))
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {usage.duration_ms:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {usage.memory_size_mb} MB",
        f"Max Memory Used: {usage.memory_used_mb} MB",
    ]
    parts += [f"Init Duration: {usage.init_ms:.2f} ms"] if usage.init_ms is not None else []
    parts += [f"Status: {status}"] if status else []
    parts += [f"Error Type: {error_type}"] if error_type else []
    return "\t".join(parts) + "\t\n"
