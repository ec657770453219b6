"""Lambda's own lines. Wording: AWS Lambda, "Viewing CloudWatch logs for Lambda functions"."""

import re

import pytest

from labkit.cloud.functions import report
from labkit.cloud.functions.report import Usage


def test_stream_name() -> None:
    assert re.fullmatch(r"2026/01/02/\[\$LATEST\][0-9a-f]{32}", report.stream_name("$LATEST", now=1767312000))


def test_names_of_streams_differ() -> None:
    assert report.stream_name("1", now=0) != report.stream_name("1", now=0)


@pytest.mark.parametrize(
    ("runtime", "shown"), [("python3.13", "python:3.13.v1"), ("python3.9", "python:3.9.v1")]
)
def test_init_start(runtime: str, shown: str) -> None:
    line = report.init_start("eu-west-1", runtime)
    assert line.startswith(
        f"INIT_START Runtime Version: {shown}\tRuntime Version ARN: arn:aws:lambda:eu-west-1::"
    )


def test_report_of_a_cold_invocation_bills_the_init() -> None:
    """AWS Lambda, "Understanding the Lambda execution environment lifecycle": init is billed."""
    assert report.report("id", Usage(61.09, 512, 193, init_ms=3986.5)) == (
        "REPORT RequestId: id\tDuration: 61.09 ms\tBilled Duration: 4048 ms\tMemory Size: 512 MB"
        "\tMax Memory Used: 193 MB\tInit Duration: 3986.50 ms\t\n"
    )


def test_report_of_a_failure() -> None:
    line = report.report("id", Usage(1.2, 128, 64), status="error", error_type="Runtime.ExitError")
    assert line.endswith("Max Memory Used: 64 MB\tStatus: error\tError Type: Runtime.ExitError\t\n")


def test_init_report() -> None:
    assert report.init_report(10007.333, phase="init", status="timeout") == (
        "INIT_REPORT Init Duration: 10007.33 ms\tPhase: init\tStatus: timeout\n"
    )


def test_timed_out() -> None:
    assert report.timed_out("id", 3, now=0.25) == (
        "1970-01-01T00:00:00.250Z id Task timed out after 3.00 seconds\n"
    )
