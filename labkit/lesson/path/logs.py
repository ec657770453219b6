"""What server and function said: the journal, the boot log, and CloudWatch Logs.

What belongs here: reading these three. What does not: judging them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labkit.lesson.context import Context

_LINES = 200


def server(context: Context, outputs: Mapping[str, str]) -> list[str]:
    """The newest lines of the flask-app service's journal; none where nobody can look inside."""
    return context.place.journal(outputs)


def boot(context: Context, outputs: Mapping[str, str]) -> list[str]:
    """/var/log/cloud-init-output.log: everything that the boot script printed."""
    return context.place.boot_log(outputs)


def function(context: Context, outputs: Mapping[str, str], *, times: bool = False) -> list[str]:
    """The newest lines of the function's log streams, oldest first; with the time of each, in this machine's zone."""
    from botocore.exceptions import ClientError

    logs, group = context.clients.client("logs"), f"/aws/lambda/{outputs['LambdaFunctionName']}"
    try:
        events = logs.filter_log_events(logGroupName=group, limit=10_000)["events"]
    except ClientError as error:
        return [f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"]
    ordered = sorted(events, key=lambda event: event["timestamp"])
    if not times:
        return [str(event["message"]).rstrip("\n") for event in ordered[-_LINES:]]
    return [
        f"{_clock(event)} {line}"
        for event in ordered[-_LINES:]
        for line in str(event["message"]).splitlines()
    ]


def _clock(event: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(event["timestamp"] / 1000).strftime("%H:%M:%S.%f")[:-3]
