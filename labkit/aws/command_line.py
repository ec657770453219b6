"""The AWS CLI as people type it: version 2's lines, carried out by version 1, which is what PyPI has.

What belongs here: where the two differ in lines that labs have, and nothing that version 2 lacks. What does not: where the
command lies (labkit.cli.aws_cli on this machine, the image in instances). Run as a program; standard library and awscli only.

AWS: AWS CLI user guide, "Breaking changes in the AWS CLI version 2".
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

#: options of version 2 alone that change nothing in what version 1 does; True: with a value
_ONLY_2 = {
    "--cli-binary-format": True,
    "--no-cli-pager": False,
    "--no-cli-auto-prompt": False,
    "--cli-auto-prompt": False,
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TAIL_SECONDS = 2.0


def main(words: Sequence[str], region: Callable[[], str] = lambda: "") -> int:
    """Carry out one command line; returns its exit status. `region` is asked where none is configured."""
    words = for_version_1(words)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if "AWS_REGION" in os.environ:  # version 2 reads both
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    if not _has_region(words) and (found := region()):
        os.environ["AWS_DEFAULT_REGION"] = found
    if endpoint and not any(word.split("=")[0] == "--endpoint-url" for word in words):
        words = ["--endpoint-url", endpoint, *words]  # version 1 has some old names of its own before it
    if "logs" in words and words[words.index("logs") + 1 :][:1] == ["tail"]:
        return tail(words[: words.index("logs")], words[words.index("logs") + 2 :])
    from awscli.clidriver import main as run  # type: ignore[import-untyped]

    sys.argv = ["aws", *words]
    return int(run() or 0)


def for_version_1(words: Sequence[str]) -> list[str]:
    """The words of a line without the options that version 2 alone knows."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name not in _ONLY_2:
            kept.append(word)
        elif _ONLY_2[name] and not equals and rest:
            rest.pop(0)
    return kept


def _has_region(words: Sequence[str]) -> bool:
    if os.environ.get("AWS_DEFAULT_REGION") or any(word.split("=")[0] == "--region" for word in words):
        return True
    from botocore.session import Session

    profile = words[words.index("--profile") + 1] if "--profile" in words[:-1] else None
    return bool(Session(profile=profile).get_config_variable("region"))


# -- aws logs tail ----------------------------------------------------------------------------------------


def tail(before: Sequence[str], words: Sequence[str]) -> int:
    """`aws logs tail GROUP`: the newest events of a log group, and with --follow those to come.

    AWS: AWS CLI 2 reference, logs tail.
    """
    import argparse

    parser = argparse.ArgumentParser(prog="aws logs tail")
    parser.add_argument("group_name")
    parser.add_argument("--since", default="10m")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--format", choices=["detailed", "short", "json"], default="detailed")
    parser.add_argument("--filter-pattern")
    parser.add_argument("--log-stream-names", nargs="+")
    parser.add_argument("--log-stream-name-prefix")
    for option in ("--region", "--profile", "--endpoint-url", "--output", "--color"):
        parser.add_argument(option)
    asked = parser.parse_args([*before, *words])
    client = _logs(asked)
    more = {
        "logGroupName": asked.group_name,
        "filterPattern": asked.filter_pattern,
        "logStreamNames": asked.log_stream_names,
        "logStreamNamePrefix": asked.log_stream_name_prefix,
    }
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _show(client, {name: value for name, value in more.items() if value}, asked)
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 254
    except KeyboardInterrupt:
        return 130
    return 0


def _logs(asked: Any) -> Any:
    from botocore.session import Session

    session = Session(profile=asked.profile)
    return session.create_client("logs", region_name=asked.region, endpoint_url=asked.endpoint_url)


def _show(client: Any, parameters: dict[str, Any], asked: Any) -> None:
    start, seen = since(asked.since, now=time.time()), set[str]()
    while True:
        for page in client.get_paginator("filter_log_events").paginate(**parameters, startTime=start):
            for event in page["events"]:
                if event["eventId"] not in seen:
                    seen.add(event["eventId"])
                    start = max(start, event["timestamp"])
                    sys.stdout.write(shown(event, asked.format))
        sys.stdout.flush()
        if not asked.follow:
            return
        time.sleep(_TAIL_SECONDS)


def since(text: str, *, now: float) -> int:
    """Milliseconds since the epoch of "10m", "1h", or a time in ISO 8601."""
    if text[:-1].isdigit() and text[-1:] in _UNITS:
        return int((now - int(text[:-1]) * _UNITS[text[-1]]) * 1000)
    when = datetime.fromisoformat(text)
    return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1000)


def shown(event: Any, form: str) -> str:
    """One event as the format shows it."""
    when, message = datetime.fromtimestamp(event["timestamp"] / 1000, UTC), str(event["message"]).rstrip("\n")
    if form == "short":
        return f"{when.strftime('%Y-%m-%dT%H:%M:%S')} {message}\n"
    if form == "json":
        return message + "\n"
    return f"{when.isoformat(timespec='microseconds')} {event['logStreamName']} {message}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
