"""Line logs-kept."""

import itertools
import time

from labkit.grading.api import Failed, Lab, NotTold

_DAYS = 7
#: logs follow the answer by less than this, and by fewer looks: on a busy machine seconds alone say little
_SECONDS, _LOOKS = 8.0, 100


def check(lab: Lab) -> None:
    """Your function's log group keeps START and REPORT of each call for 7 days.

    A log group that Lambda makes by itself keeps everything, and costs, for ever.
    """
    _refuse_other_days(lab)
    request = lab.function.invoke({"action": "no such action"}).request_id
    _refuse_missing(lab, *_awaited(lab, request))


def live(lab: Lab) -> None:
    """Your function's log group keeps START and REPORT of the calls that were made for 7 days."""
    _refuse_other_days(lab)
    lines = lab.function.logs()
    if not lines:
        raise NotTold("no call has left a line in the function's log group yet", hint="./lab process")
    _refuse_missing(lab, _missing(lines), lines)


def _refuse_other_days(lab: Lab) -> None:
    group = lab.function.log_group
    answer = lab.clients.client("logs").describe_log_groups(logGroupNamePrefix=group)
    found = [each for each in answer["logGroups"] if each["logGroupName"] == group]
    days = found[0].get("retentionInDays", "for ever") if found else "no such group"
    if days != _DAYS:
        raise Failed(
            f"the log group {group} keeps: {days}", hint="declare the function's own log group, with its retention",
            expected=f"{_DAYS} days", found=days,
        )  # fmt: skip


def _refuse_missing(lab: Lab, missing: str, lines: list[str]) -> None:
    if missing:
        raise Failed(
            f"a call left no {missing} in {lab.function.log_group}",
            hint="may the function's role create streams and put events in this group?",
            expected=f"{missing} RequestId: …", found=f"{len(lines)} lines of this call", evidence=lines[:6],
        )  # fmt: skip


def _missing(lines: list[str]) -> str:
    """START or REPORT, whichever is not there, "" for none."""
    found = {line.partition(" Req")[0] for line in lines}
    return next((word for word in ("START", "REPORT") if word not in found), "")


def _awaited(lab: Lab, request: str) -> tuple[str, list[str]]:
    """What did not come in time, and the lines that came."""
    deadline, looks = time.monotonic() + _SECONDS, itertools.count(1)
    while True:
        lines = lab.function.logs(request)
        missing = _missing(lines)
        if not missing or (next(looks) >= _LOOKS and time.monotonic() > deadline):
            return missing, lines
        time.sleep(0.05)  # logs come after the answer, and nothing tells when
