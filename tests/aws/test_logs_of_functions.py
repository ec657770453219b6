"""CloudWatch Logs: lines of functions arrive with the rights of the function's role, as Lambda sends them."""

import time

import pytest

from labkit.cloud.moto_seam.logs import MotoLogs

ROLE = "arn:aws:iam::123456789012:role/lab"
GROUP = "/aws/lambda/f"


@pytest.fixture
def denied():
    return set()


@pytest.fixture
def asked():
    return []


@pytest.fixture
def logs(aws, denied, asked):
    def allowed(role, action, resource):
        asked.append((role, action, resource))
        return action not in denied

    writer = MotoLogs(allowed)
    yield writer
    writer.close()


def write(logs, *texts, stream="s"):
    now = int(time.time() * 1000)
    lines = [(now + number, text) for number, text in enumerate(texts)]
    logs.write(role_arn=ROLE, region="ap-south-1", group=GROUP, stream=stream, lines=lines)


def events(aws):
    assert aws.logs is not None
    return [event["message"] for event in aws.logs.filter_log_events(logGroupName=GROUP)["events"]]


def test_lines_arrive_in_a_group_that_is_made(aws, logs):
    """Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs": created, kept for ever."""
    write(logs, "START", "END")
    assert logs.flush()
    assert events(aws) == ["START", "END"]
    (group,) = aws.logs.describe_log_groups()["logGroups"]
    assert "retentionInDays" not in group


def test_group_of_the_template_keeps_its_retention(aws, logs):
    """CloudWatch Logs user guide, "Change log data retention"."""
    aws.logs.create_log_group(logGroupName=GROUP)
    aws.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    write(logs, "one")
    assert logs.flush()
    assert aws.logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    assert events(aws) == ["one"]


def test_rights_are_asked_for_each_thing(aws, logs, asked):
    """Service authorization reference, CloudWatch Logs: resources of the three actions."""
    write(logs, "one")
    assert logs.flush()
    group = f"arn:aws:logs:ap-south-1:123456789012:log-group:{GROUP}"
    assert asked == [
        (ROLE, "logs:CreateLogGroup", f"{group}:*"),
        (ROLE, "logs:CreateLogStream", f"{group}:*"),
        (ROLE, "logs:PutLogEvents", f"{group}:log-stream:s"),
    ]


@pytest.mark.parametrize("action", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
def test_without_rights_lines_are_dropped(aws, logs, denied, action):
    """Lambda developer guide, execution role: without the permission there are no logs."""
    denied.add(action)
    write(logs, "one")
    assert logs.flush()
    groups = aws.logs.describe_log_groups()["logGroups"]
    assert (events(aws) if groups else []) == []
    denied.clear()
    write(logs, "two")
    assert logs.flush()
    assert events(aws) == ["two"]


def test_a_deleted_group_comes_back(aws, logs):
    """Lambda developer guide: the next line makes the group again."""
    write(logs, "one")
    assert logs.flush()
    aws.logs.delete_log_group(logGroupName=GROUP)
    write(logs, "two")
    assert logs.flush()
    assert events(aws) == ["two"]


def test_lines_out_of_order_are_all_kept(aws, logs):
    """CloudWatch Logs API reference, PutLogEvents: events in order of time."""
    now = int(time.time() * 1000)
    lines = [(now + 5, "later"), (now, "earlier")]
    logs.write(role_arn=ROLE, region="ap-south-1", group=GROUP, stream="s", lines=lines)
    assert logs.flush()
    assert sorted(events(aws)) == ["earlier", "later"]


def test_close_writes_what_is_queued(aws):
    writer = MotoLogs(lambda role, action, resource: True)
    for number in range(100):
        write(writer, f"line {number}", stream=f"s{number % 3}")
    writer.close()
    assert len(events(aws)) == 100
