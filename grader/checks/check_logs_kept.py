"""Line logs-kept."""

from labkit.grading.api import Failed, Lab

_DAYS = 7


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
    lines = lab.function.logs(request)
    for word in ("START", "REPORT"):
        if not any(line.startswith(f"{word} RequestId") for line in lines):
            raise Failed(
                f"a call left no {word} in {group}",
                hint="may the function's role create streams and put events in this group?",
                expected=f"{word} RequestId: …", found=f"{len(lines)} lines of this call", evidence=lines[:6],
            )  # fmt: skip
