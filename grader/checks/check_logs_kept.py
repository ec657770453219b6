"""Line logs-kept."""

import time

from labkit.grading.api import Failed, Lab

_DAYS = 7
#: logs follow the answer by this much at most
_SECONDS = 8.0


def check(lab: Lab) -> None:
    """Your function's log group keeps START and REPORT of each call for 7 days.

    A log group that Lambda makes by itself keeps everything, and costs, for ever.
    """
    group = lab.function.log_group
    answer = lab.clients.client("logs").describe_log_groups(logGroupNamePrefix=group)
    found = [each for each in answer["logGroups"] if each["logGroupName"] == group]
    days = found[0].get("retentionInDays", "for ever") if found else "no such group"
    if days != _DAYS:
        raise Failed(
            f"the log group {group} keeps: {days}", hint="declare the function's own log group, with its retention",
            expected=f"{_DAYS} days", found=days,
        )  # fmt: skip
    request = lab.function.invoke({"action": "no such action"}).request_id
    missing, lines = _missing(lab, request)
    if missing:
        raise Failed(
            f"a call left no {missing} in {group}",
            hint="may the function's role create streams and put events in this group?",
            expected=f"{missing} RequestId: …", found=f"{len(lines)} lines of this call", evidence=lines[:6],
        )  # fmt: skip


def _missing(lab: Lab, request: str) -> tuple[str, list[str]]:
    """START or REPORT, whichever did not come in time, "" for none; and the lines that came."""
    deadline = time.monotonic() + _SECONDS
    while True:
        lines = lab.function.logs(request)
        missing = [
            word for word in ("START", "REPORT") if not any(x.startswith(f"{word} Req") for x in lines)
        ]
        if not missing or time.monotonic() > deadline:
            return (missing or [""])[0], lines
        time.sleep(0.05)  # logs come after the answer, and nothing tells when
