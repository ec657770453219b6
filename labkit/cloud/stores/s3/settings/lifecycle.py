"""Lifecycle rules: objects, versions and uploads that end after so many days.

What belongs here: which rules are taken, and what they end. What does not: storing them (configurations).
S3 user guide: "Managing the lifecycle of objects", "Lifecycle configuration elements".
"""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from labkit.cloud.stores.s3.engine import Call, Engine
from labkit.cloud.stores.s3.storage import Version
from labkit.cloud.stores.s3.wire.errors import (
    S3Error,
    invalid_argument,
    invalid_request,
    malformed_xml,
    not_emulated,
)
from labkit.cloud.stores.s3.wire.writing import http_date

_DAY = 24 * 3600
#: what AWS tells with every configuration; transitions, which it is about, are refused
SMALLEST = "all_storage_classes_128K"
#: how often it is looked for what has ended, in seconds
EVERY = 60.0


def check(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rules, as they are kept. Raises S3Error for rules that S3 does not take, or that move objects elsewhere."""
    rules = configuration.get("Rules", [])
    if not 1 <= len(rules) <= 1000:
        raise malformed_xml()
    named = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(set(named)) < len(named):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule")
    for number, rule in enumerate(rules, 1):
        _check_rule(rule)
        rule.setdefault("ID", f"rule-{number}-{int(time.time())}")
    return {**configuration, "TransitionDefaultMinimumObjectSize": SMALLEST}


def _check_rule(rule: Mapping[str, Any]) -> None:
    if len(rule.get("ID", "")) > 255:
        raise invalid_argument("ID length should not exceed allowed limit of 255")
    if rule.get("Transitions") or rule.get("NoncurrentVersionTransitions"):
        raise not_emulated("transitions to other storage classes")
    if ("Filter" in rule) == ("Prefix" in rule):
        raise malformed_xml()
    actions = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    if not any(name in rule for name in actions):
        raise invalid_request("At least one action needs to be specified in a rule")
    _check_expiration(rule.get("Expiration"))
    days = (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays", 1)
    started = (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation", 1)
    if days < 1 or started < 1:
        raise invalid_argument(
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"
        )


def _check_expiration(expiration: Mapping[str, Any] | None) -> None:
    if expiration is None:
        return
    if len(expiration) != 1:
        raise malformed_xml()
    if expiration.get("Days", 1) < 1:
        raise invalid_argument("'Days' for Expiration action must be a positive integer")
    if "Date" in expiration:
        moment = _moment(expiration["Date"])
        if moment % _DAY:
            raise invalid_argument("'Date' must be at midnight GMT")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise malformed_xml() from None


def told(engine: Engine, version: Version) -> str | None:
    """When a rule will end an object, and which, as x-amz-expiration tells it; None where none will."""
    ends: list[tuple[float, str]] = []
    for rule in (engine.storage.setting(version.bucket, "lifecycle") or {}).get("Rules", ()):
        expiration = rule.get("Expiration") or {}
        fits = version.key.startswith(_prefix(rule)) and _fits(rule, version)
        if rule["Status"] == "Enabled" and fits and ("Days" in expiration or "Date" in expiration):
            ends.append((_end(expiration, version), rule["ID"]))
    if not ends:
        return None
    end, name = min(ends)
    return f'expiry-date="{http_date(end)}", rule-id="{quote(name)}"'


def _end(expiration: Mapping[str, Any], version: Version) -> float:
    """The midnight on which an object ends, in seconds since the epoch."""
    if "Date" in expiration:
        return _moment(expiration["Date"])
    return float((version.made // _DAY + 1 + expiration["Days"]) * _DAY)


def expire(engine: Engine, call: Call) -> None:
    """End what has had its time, by the rules of all buckets."""
    for bucket, configuration in engine.storage.settings("lifecycle"):
        for rule in configuration["Rules"]:
            if rule["Status"] == "Enabled":
                _apply(engine, bucket, rule, call)


def _apply(engine: Engine, bucket: str, rule: Mapping[str, Any], call: Call) -> None:
    from labkit.cloud.stores.s3.deletes import delete

    now, found = engine.now(), engine.storage.bucket(bucket)
    if found is None:
        return
    prefix = _prefix(rule)
    for version in list(_ended(engine, bucket, rule, prefix, now)):
        try:
            delete(
                engine,
                call,
                found,
                version.key,
                {} if version.latest and not version.marker else {"VersionId": version.version},
            )
        except S3Error:  # gone meanwhile
            continue
    _abort(engine, bucket, rule, prefix, now)


def _ended(
    engine: Engine, bucket: str, rule: Mapping[str, Any], prefix: str, now: float
) -> Iterator[Version]:
    """Versions that the rule ends now."""
    expiration = rule.get("Expiration") or {}
    limit = now - expiration["Days"] * _DAY if "Days" in expiration else -1.0
    if "Date" in expiration and _moment(expiration["Date"]) <= now:
        limit = now
    noncurrent = (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays")
    versions = engine.storage.older_than(
        bucket, int(now) + 1, prefix
    )  # those of a key together, the oldest first
    for before, each, later in zip([None, *versions], versions, [*versions[1:], None], strict=False):
        if each.latest:
            if not each.marker and each.made <= limit and _fits(rule, each):
                yield each
            alone = before is None or before.key != each.key
            if each.marker and alone and expiration.get("ExpiredObjectDeleteMarker"):
                yield each
        elif (
            noncurrent is not None
            and later is not None
            and later.made <= now - noncurrent * _DAY
            and _fits(rule, each)
        ):
            yield each


def _abort(engine: Engine, bucket: str, rule: Mapping[str, Any], prefix: str, now: float) -> None:
    days = (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")
    if days is None:
        return
    with engine.storage.transaction():
        uploads = list(engine.storage.uploads_behind(bucket, "", 0))
        ended = [each for each in uploads if each.key.startswith(prefix) and each.made <= now - days * _DAY]
        gone = [part.body for each in ended for part in engine.storage.parts(each.id)]
        for each in ended:
            engine.storage.drop_upload(each.id)
    engine.bodies.remove(gone)


def _prefix(rule: Mapping[str, Any]) -> str:
    chosen = rule.get("Filter") or {}
    both = chosen.get("And") or {}
    return str(rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or "")


def _fits(rule: Mapping[str, Any], version: Version) -> bool:
    """Whether a version has the tags and the size that the rule's filter names."""
    chosen = rule.get("Filter") or {}
    both = chosen.get("And") or {}
    wanted = [*both.get("Tags", ()), *([chosen["Tag"]] if "Tag" in chosen else ())]
    least = chosen.get("ObjectSizeGreaterThan", both.get("ObjectSizeGreaterThan", -1))
    most = chosen.get("ObjectSizeLessThan", both.get("ObjectSizeLessThan", 1 << 62))
    tags = version.facts.get("tags", [])
    return all(tag in tags for tag in wanted) and least < version.size < most
