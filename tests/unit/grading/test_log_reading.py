"""Line log-reading: the student's own call, in whatever markup it was written down."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.checks.check_log_reading import check
from labkit.grading.judging.failure import Failed

ID = "23fa9063-8c03-7ea8-be32-2d6293f71b95"
COLD = f"REPORT RequestId: {ID}\tDuration: 31.20 ms\tBilled Duration: 93 ms\tMemory Size: 256 MB\tMax Memory Used: 61 MB"
REPORT = f"{COLD}\tInit Duration: 61.40 ms"


def judged(text: str) -> str:
    """The reason, "" for a pass."""
    try:
        check(cast(Any, SimpleNamespace(files={"answers.md": text})))
    except Failed as failed:
        return failed.reason
    return ""


@pytest.mark.parametrize(
    "text",
    [
        f"{REPORT}\n\nRequest id: {ID}\nInit Duration: 61.4", f"```\n{REPORT}\n```\nRequest id: `{ID}`\nInit Duration: 61.40 ms",
        f"> {REPORT}\n\n- **Request id:** {ID}.\n- **Init Duration:** 61,4 ms", f"`{REPORT}`\n\nRequest ID = {ID.upper()}\nInit duration (ms): 61",
        f"{REPORT}\n\n| Request id | Init Duration |\n|---|---|\n| {ID} | 61.40 ms |", f"{COLD}\n  Init Duration: 61.40 ms\n\nRequest-Id: {ID}\nInit-Duration: 0.0614 s",
        f"Request id:\n`{ID}`\nInit Duration:\n61.4\n\n{REPORT}", f"{REPORT}\r\n\r\nRequest id: <{ID}>\r\nInit Duration: 61.4 ms\r\n",
    ],
)  # fmt: skip
def test_what_was_found_is_read_in_any_markup(text: str) -> None:
    assert judged(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (REPORT, "no `Request id:` was found"),
        (f"{REPORT}\nRequest id: {ID}", "no `Init Duration:` was found"),
        (f"{REPORT}\nRequest id:\nInit Duration: 61.4", "nothing stands behind `Request id:`"),
        (f"{REPORT}\nRequest id: {ID}\nInit Duration: fast", "no number was found behind `Init Duration:`"),
        (f"{REPORT}\nRequest id: {ID}\nInit Duration: 93 ms", "is not that of this call"),
        (f"{REPORT}\nRequest id: {ID[:-1]}\nInit Duration: 61.4", "with the request id that you wrote"),
        (f"{COLD}\n\nRequest id: {ID}\nInit Duration: 61.4", "no REPORT line of a cold start"),
    ],
)
def test_what_is_missing_is_named(text: str, reason: str) -> None:
    assert reason in judged(text)
