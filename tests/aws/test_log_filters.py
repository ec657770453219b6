"""CloudWatch Logs: patterns decide in FilterLogEvents and metric filters; tests of patterns answer."""

import time
from datetime import UTC, datetime, timedelta

LINES = ('{"level": "ERROR", "ms": 12}', '{"level": "INFO", "ms": 3}', "plain ERROR")


def written(aws):
    aws.logs.create_log_group(logGroupName="/g")
    for stream in ("a-1", "b-1"):
        aws.logs.create_log_stream(logGroupName="/g", logStreamName=stream)


def write(aws, stream="a-1"):
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": text} for number, text in enumerate(LINES)]
    aws.logs.put_log_events(logGroupName="/g", logStreamName=stream, logEvents=events)


def test_patterns_decide_what_is_found(aws, refusal):
    """CloudWatch Logs API reference, FilterLogEvents: filterPattern, logStreamNamePrefix, logGroupIdentifier."""
    written(aws)
    write(aws)

    def found(**asked):
        return [event["message"] for event in aws.logs.filter_log_events(**asked)["events"]]

    assert found(logGroupName="/g", filterPattern='{ $.level = "ERROR" && $.ms > 10 }') == [LINES[0]]
    assert found(logGroupName="/g", filterPattern="-plain") == list(LINES[:2])
    assert found(logGroupName="/g", logStreamNamePrefix="b") == []
    assert found(
        logGroupIdentifier="arn:aws:logs:ap-south-1:123456789012:log-group:/g", filterPattern="plain"
    ) == [LINES[2]]
    assert refusal(aws.logs.filter_log_events, logGroupName="/g", filterPattern="{ $.a").startswith(
        "InvalidParameterException"
    )


def test_a_metric_filter_counts_what_its_pattern_means(aws):
    """CloudWatch Logs user guide, "Creating metrics from log events using filters": values of events, too."""
    written(aws)
    wanted = {"metricName": "ms", "metricNamespace": "lab", "metricValue": "$.ms"}
    aws.logs.put_metric_filter(
        logGroupName="/g", filterName="f", filterPattern="{ $.ms > 1 }", metricTransformations=[wanted]
    )
    write(aws)
    now = datetime.now(UTC)
    sums = aws.cloudwatch.get_metric_statistics(
        Namespace="lab", MetricName="ms", StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=86400,
        Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    assert sum(point["Sum"] for point in sums) == 15


def test_a_pattern_can_be_tried(aws):
    """CloudWatch Logs API reference, TestMetricFilter: which events it means, and what it finds in them."""
    matches = aws.logs.test_metric_filter(filterPattern="{ $.ms = * }", logEventMessages=list(LINES))[
        "matches"
    ]
    assert [(each["eventNumber"], each["extractedValues"]) for each in matches] == [
        (1, {"$.ms": "12"}),
        (2, {"$.ms": "3"}),
    ]
