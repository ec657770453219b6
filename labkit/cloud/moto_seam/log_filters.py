"""Filter patterns at work: what FilterLogEvents finds, what subscriptions are told, what metric filters count.

What belongs here: the places in moto where a pattern decides. What does not: patterns themselves (labkit.aws.log_patterns).

AWS: CloudWatch Logs API reference, FilterLogEvents, PutMetricFilter, PutSubscriptionFilter, TestMetricFilter; user guide,
"Creating metrics from log events using filters".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam.services import lets_service
from labkit.aws.log_patterns import InvalidPattern, Pattern, read_pattern
from labkit.cloud.moto_seam.replacing import Replacements

SERVICE = "logs.amazonaws.com"
#: where subscriptions may go: services that are here
_DESTINATIONS = ("lambda",)
_NOT_ALLOWED = "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."


def correct_filters(replacements: Replacements) -> None:
    """Let patterns of all kinds decide, wherever one is given."""
    import moto.logs.models as logs
    from moto.logs.responses import LogsResponse

    replacements.put(logs, "EventMessageFilter", _Filter)
    replacements.around(logs.LogStream, "put_log_events")(_put_events)
    replacements.around(logs.LogStream, "_send_log_events")(_send)
    replacements.around(logs.LogsBackend, "put_metric_filter")(_put_metric_filter)
    replacements.around(logs.LogsBackend, "put_subscription_filter")(_put_subscription_filter)
    replacements.around(LogsResponse, "filter_log_events")(_filter_events)
    replacements.add(LogsResponse, "test_metric_filter", _test_metric_filter)


class _Filter:
    """Stands for moto's filter of one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = _read(pattern)

    def matches(self, message: str) -> bool:
        return self._pattern.matches(message)


def _read(pattern: str | None) -> Pattern:
    from moto.logs.exceptions import InvalidParameterException

    try:
        return read_pattern(pattern or "")
    except InvalidPattern as wrong:
        raise InvalidParameterException(f"Invalid filter pattern: {wrong}") from None


def _filter_events(original: Any, self: Any) -> Any:
    """By name or ARN of the group, by names or the beginning of the streams'; events in the order of their time."""
    asked = json.loads(self.body)
    _read(asked.get("filterPattern"))
    if asked.get("logGroupIdentifier"):
        asked["logGroupName"] = _group_name(asked["logGroupIdentifier"])
    prefix, group = asked.get("logStreamNamePrefix"), self.logs_backend.groups.get(asked.get("logGroupName"))
    if prefix and group is not None:
        asked["logStreamNames"] = [name for name in group.streams if name.startswith(prefix)] or [""]
    self.body = json.dumps({**asked, "interleaved": True})
    return original(self)


def _group_name(identifier: str) -> str:
    return identifier.split(":")[6] if identifier.startswith("arn:") else identifier


def _test_metric_filter(self: Any) -> str:
    asked = json.loads(self.body)
    pattern, found = _read(asked["filterPattern"]), []
    for number, message in enumerate(asked["logEventMessages"], 1):
        values = pattern.find(message)
        if values is not None:
            found.append({"eventNumber": number, "eventMessage": message, "extractedValues": dict(values)})
    return json.dumps({"matches": found})


# -- subscriptions ---------------------------------------------------------------------------------------


def _put_subscription_filter(
    original: Any,
    self: Any,
    log_group_name: str,
    filter_name: str,
    filter_pattern: str,
    destination_arn: str,
    role_arn: str,
) -> None:
    from moto.logs.exceptions import InvalidParameterException

    _read(filter_pattern)
    service = destination_arn.split(":")[2] if destination_arn.count(":") > 4 else ""
    if service not in _DESTINATIONS:
        raise InvalidParameterException(
            f"The local cloud has no destination but functions: {destination_arn}"
        )
    if not _may_call(
        destination_arn, f"arn:aws:logs:{self.region_name}:{ACCOUNT_ID}:log-group:{log_group_name}:*"
    ):
        raise InvalidParameterException(_NOT_ALLOWED)
    original(self, log_group_name, filter_name, filter_pattern, destination_arn, role_arn)


def _may_call(function_arn: str, source_arn: str) -> bool:
    """Whether the function's policy lets CloudWatch Logs call it for the log group."""
    from moto.awslambda.utils import get_backend
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    region = function_arn.split(":")[3]
    try:
        text = get_backend(ACCOUNT_ID, region).get_policy(function_arn, None)
    except (ServiceException, HTTPException):
        return False
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": ACCOUNT_ID}
    policy = json.loads(json.loads(text)["Policy"])
    return lets_service(policy, SERVICE, "lambda:InvokeFunction", function_arn, context)


def _send(
    original: Any,
    self: Any,
    service: str,
    destination_arn: str,
    filter_name: str,
    log_events: list[dict[str, Any]],
) -> None:
    pattern = _read(self.log_group.subscription_filters[filter_name].filter_pattern)
    found = [event for event in log_events if pattern.matches(event["message"])]
    if found:
        original(self, service, destination_arn, filter_name, found)


# -- metrics ---------------------------------------------------------------------------------------------


def _put_metric_filter(
    original: Any, self: Any, filter_name: str, filter_pattern: str, log_group_name: str, transformations: Any
) -> None:
    from moto.logs.exceptions import ResourceNotFoundException

    _read(filter_pattern)
    if log_group_name not in self.groups:
        raise ResourceNotFoundException()
    kept = [
        f
        for f in self.filters.metric_filters
        if (f["filterName"], f["logGroupName"]) != (filter_name, log_group_name)
    ]
    self.filters.metric_filters[:] = kept
    original(self, filter_name, filter_pattern, log_group_name, transformations)


def _put_events(original: Any, self: Any, log_events: Sequence[Mapping[str, Any]]) -> Any:
    answer = original(self, log_events)
    for each in _metric_filters(self):
        pattern = _read(each["filterPattern"])
        for event in log_events:
            values = pattern.find(event["message"])
            if values is not None:
                _count(self.region, each["metricTransformations"], values, event["timestamp"])
    return answer


def _metric_filters(stream: Any) -> Iterator[Any]:
    from moto.logs.models import logs_backends

    filters = logs_backends[stream.account_id][stream.region].filters.metric_filters
    return (each for each in list(filters) if each["logGroupName"] == stream.log_group.name)


def _count(
    region: str, transformations: Sequence[Mapping[str, Any]], values: Mapping[str, str], at: int
) -> None:
    """Publish the metrics of an event; where the value is no number, none (user guide, "metric value")."""
    from moto.cloudwatch.models import cloudwatch_backends

    for each in transformations:
        value = each["metricValue"]
        text = values.get(value, "") if value.startswith("$") else value
        named = {name: values.get(where, "") for name, where in each.get("dimensions", {}).items()}
        try:
            number = float(text)
        except ValueError:
            continue
        if all(named.values()):
            datum = {
                "MetricName": each["metricName"],
                "Value": number,
                "Unit": each.get("unit", "None"),
                "Timestamp": datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None),
                "Dimensions": [{"Name": name, "Value": text} for name, text in named.items()],
            }
            cloudwatch_backends[ACCOUNT_ID][region].put_metric_data(each["metricNamespace"], [datum])
