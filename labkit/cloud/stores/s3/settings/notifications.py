"""Event notifications: functions that are told what happened to objects.

What belongs here: which configurations are taken, what an event looks like, who is told. What does not: calling
functions (whoever makes the engine gives a `Receiver`).
S3 user guide: "Amazon S3 Event Notifications", "Event message structure".
"""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote_plus

from labkit.cloud.stores.s3.engine import Call, Engine, Event, Reply
from labkit.cloud.stores.s3.wire.errors import invalid_argument, malformed_xml, not_emulated
from labkit.cloud.stores.s3.wire.writing import iso_date

_FUNCTIONS = "LambdaFunctionConfigurations"
_UNVALIDATED = "Unable to validate the following destination configurations"


class Receiver(Protocol):
    """Functions that events go to."""

    def may_be_told(self, function: str, bucket: str) -> bool:
        """Whether S3 may call the function (its ARN) for the bucket."""
        ...

    def tell(self, function: str, message: Mapping[str, Any]) -> None:
        """Have the function called with the message, some time soon."""
        ...


class NoReceiver:
    """Nobody can be told anything."""

    def may_be_told(self, function: str, bucket: str) -> bool:
        """No."""
        return False

    def tell(self, function: str, message: Mapping[str, Any]) -> None:
        """Nobody listens."""


def put(engine: Engine, call: Call) -> Reply:
    """PutBucketNotificationConfiguration: functions that S3 may call; what is put replaces what was."""
    engine.bucket(call)
    document = dict(call.input["NotificationConfiguration"])
    for name, what in (
        ("TopicConfigurations", "notifications to SNS"),
        ("QueueConfigurations", "notifications to SQS"),
        ("EventBridgeConfiguration", "notifications to EventBridge"),
    ):
        if name in document:
            raise not_emulated(what)
    skipped = bool(call.input.get("SkipDestinationValidation"))
    for each in document.get(_FUNCTIONS, []):
        _check(engine, call, each, skipped)
    engine.storage.put_setting(call.bucket, "notification", document or None)
    return Reply()


def _check(engine: Engine, call: Call, each: dict[str, Any], skipped: bool) -> None:
    each.setdefault("Id", secrets.token_urlsafe(18))
    if not each.get("Events"):
        raise malformed_xml()
    rules = _rules(each)
    names = [str(rule.get("Name", "")).lower() for rule in rules]
    if not set(names) <= {"prefix", "suffix"}:
        raise invalid_argument("filter rule name must be either prefix or suffix")
    if len(set(names)) < len(names):
        raise invalid_argument("Cannot specify more than one prefix rule in a filter.")
    function = each["LambdaFunctionArn"]
    if not function.startswith("arn:aws:lambda:"):
        raise invalid_argument("The ARN could not be parsed")
    if not skipped and not engine.receiver.may_be_told(function, call.bucket):
        raise invalid_argument(_UNVALIDATED, function, "Not authorized to invoke function [" + function + "]")


def _rules(each: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return list(((each.get("Filter") or {}).get("Key") or {}).get("FilterRules", []))


def told(engine: Engine, event: Event) -> None:
    """Tell an event to those who asked for it."""
    document = engine.storage.setting(event.bucket, "notification")
    for each in (document or {}).get(_FUNCTIONS, []):
        if _wants(each, event):
            message = {"Records": [_record(engine, event, each["Id"])]}
            engine.receiver.tell(each["LambdaFunctionArn"], message)


def _wants(each: Mapping[str, Any], event: Event) -> bool:
    named = {str(rule["Name"]).lower(): rule.get("Value", "") for rule in _rules(each)}
    fits = event.key.startswith(named.get("prefix", "")) and event.key.endswith(named.get("suffix", ""))
    return fits and any(_is(wanted.removeprefix("s3:"), event.name) for wanted in each["Events"])


def _is(wanted: str, name: str) -> bool:
    return wanted == name or (wanted.endswith(":*") and name.startswith(wanted[:-1]))


def _record(engine: Engine, event: Event, configuration: str) -> dict[str, Any]:
    thing = dict(_object(event))
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": event.region,
        "eventTime": iso_date(engine.now()), "eventName": event.name,
        "userIdentity": {"principalId": event.principal or "AWS:anonymous"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": secrets.token_hex(8).upper(), "x-amz-id-2": secrets.token_urlsafe(48)},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": configuration,
            "bucket": {
                "name": event.bucket, "ownerIdentity": {"principalId": engine.account},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": thing,
        },
    }  # fmt: skip


def _object(event: Event) -> Iterator[tuple[str, Any]]:
    yield "key", quote_plus(event.key, safe="/")
    if event.name.startswith("ObjectCreated"):
        yield "size", event.size
    if event.etag:
        yield "eTag", event.etag
    if event.version:
        yield "versionId", event.version
    yield "sequencer", f"{event.number:018X}"
