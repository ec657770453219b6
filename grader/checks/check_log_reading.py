"""Line log-reading."""

import re

from grader.support.evidence import ANSWERS, text, written
from labkit.grading.api import Failed, Lab

_REPORT = re.compile(r"REPORT RequestId: (\S+).*?Init Duration: ([\d.]+) ms")
_NEAR_MS = 1.0


def check(lab: Lab) -> None:
    """You found the request id of your own call in the log, and how long its environment took to start.

    The request id is the thread from an answer to the log to the row; Init Duration is the cold start.
    """
    answers = text(lab, ANSWERS, "05")
    reports = dict(_REPORT.findall(answers))
    request, duration = written(answers, "request id"), written(answers, "init duration")
    if request not in reports:
        raise Failed(
            "your answers do not hold the REPORT line of a cold start and its request id",
            hint="in answers.md: paste the line, then write  Request id: …  and  Init Duration: …  below it",
            expected="REPORT RequestId: … Init Duration: … ms, and both values", found=request or "no request id",
        )  # fmt: skip
    told = re.match(r"\d+(\.\d+)?", duration.replace(",", "."))
    if told is None or abs(float(told[0]) - float(reports[request])) > _NEAR_MS:
        raise Failed(
            "the Init Duration that you wrote is not that of this call",
            hint="REPORT tells several times: Duration, Billed Duration, Init Duration",
            expected="the line's Init Duration in ms", found=duration or "none",
        )  # fmt: skip
