"""Line log-reading."""

import re

from grader.support.evidence import LOG_READING, number, read
from labkit.grading.api import Failed, Lab

_REPORT = re.compile(r"REPORT RequestId: (\S+).*?Init Duration: ([\d.]+) ms", re.DOTALL)


def check(lab: Lab) -> None:
    """You found the request id of your own call in the log, and how long its environment took to start.

    The request id is the thread from an answer to the log to the row; Init Duration is the cold start.
    """
    told = read(lab, LOG_READING, "05")
    log = "\n".join(map(str, told.get("log", []))) if isinstance(told.get("log"), list) else ""
    found = dict(_REPORT.findall(log))
    request = str(told.get("request_id", ""))
    if request not in found:
        raise Failed(
            "the request id that you wrote is not that of a call with a cold start in your log",
            hint="look for the REPORT line with an Init Duration, and its RequestId",
            expected=", ".join(found) or "a REPORT line with Init Duration", found=request or "none",
        )  # fmt: skip
    if abs(number(told.get("init_ms")) - float(found[request])) > 1 or number(told.get("init_ms")) <= 0:
        raise Failed(
            "the Init Duration that you wrote is not that of this call",
            hint="REPORT tells several times: Duration, Billed Duration, Init Duration",
            expected="the line's Init Duration in ms", found=told.get("init_ms", "none"),
        )  # fmt: skip
