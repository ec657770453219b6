"""Line log-reading."""

import re

from grader.support.evidence import ANSWERS, text
from labkit.course.answers import UNITS
from labkit.course.written import behind, plain, readings
from labkit.grading.api import Failed, Lab

#: the REPORT line of a cold start, which a narrow window may have broken at a blank
_REPORT = re.compile(
    r"REPORT\s+RequestId:\s*([\w-]+)(?:(?!REPORT\s+RequestId).){0,400}?Memory Used:\s*\d+\s*MB[ |]*\n?[ |]*"
    r"Init\s+Duration:\s*(\d{1,9}(?:\.\d{1,9})?)\s*ms",
    re.DOTALL,
)
_NEAR_MS = 1.0
_LINES = "in answers.md: paste the line, then write  Request id: …  and  Init Duration: …  below it"


def check(lab: Lab) -> None:
    """You found the request id of your own call in the log, and how long its environment took to start.

    The request id is the thread from an answer to the log to the row; Init Duration is the cold start.
    """
    answers = plain(text(lab, ANSWERS, "05"))
    reports = {request.lower(): float(duration) for request, duration in _REPORT.findall(answers)}
    request = _written(answers, r"request[ -]?id", "Request id").split()[0].strip(".,;<>()").lower()
    if request not in reports:
        raise Failed(
            "your answers hold no REPORT line of a cold start with the request id that you wrote" if reports
            else "your answers hold no REPORT line of a cold start (one with an Init Duration)",
            hint=_LINES, expected="REPORT RequestId: … Init Duration: … ms, and both values", found=request,
        )  # fmt: skip
    told = _written(answers, r"init[ -]?duration", "Init Duration")
    if not any(abs(value - reports[request]) <= _NEAR_MS for value in readings(told, UNITS["ms"])):
        raise Failed(
            "the Init Duration that you wrote is not that of this call" if readings(told, {})
            else "no number was found behind `Init Duration:`",
            hint="REPORT tells several times: Duration, Billed Duration, Init Duration",
            expected="the line's Init Duration in ms", found=told,
        )  # fmt: skip


def _written(answers: str, label: str, shown: str) -> str:
    """What stands behind the label. Raises Failed where there is no label, or nothing behind it."""
    found = behind(answers, label)
    if not found:
        what = (
            f"no `{shown}:` was found in answers.md" if found is None else f"nothing stands behind `{shown}:`"
        )
        raise Failed(what, hint=_LINES, expected=f"{shown}: …", found="nothing")
    return found
