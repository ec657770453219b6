"""DynamoDB Streams: what has changed in a table, in order, for a day.

A stream has one shard. Its records are written in the transaction of the change itself.

What belongs here: streams' descriptions, records and the four operations that read them. What does not: switching a
stream on and off (control).

AWS: DynamoDB Streams API reference; developer guide, "Change data capture for DynamoDB Streams".
"""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from labkit.base.text import whole
from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, invalid_parameter, not_found
from labkit.cloud.stores.dynamodb.storage import Storage
from labkit.cloud.stores.dynamodb.tables.schema import Table
from labkit.cloud.stores.dynamodb.values import Item, is_equal, item_size

#: seconds that a record is kept
KEPT = 24 * 3600
_RECORDS = 1000
_PAGE = 100
_TO_LIVE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

Answer = dict[str, Any]


def sequence_number(number: int) -> str:
    """A record's number as AWS writes it, 21 digits."""
    return f"{number:021d}"


# -- writing -------------------------------------------------------------------------------------------------


def open_stream(storage: Storage, table: Table, view_type: str) -> None:
    """Give a table a new stream, and say so in its description."""
    now = time.time()
    label = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}"
    arn = f"{table.arn}/stream/{label}"
    first = storage.next_number()
    described = {
        "StreamArn": arn,
        "StreamLabel": label,
        "StreamStatus": "ENABLED",
        "StreamViewType": view_type,
        "CreationRequestDateTime": round(now, 3),
        "TableName": table.name,
        "KeySchema": table.description["KeySchema"],
    }
    storage.put_stream(arn, {"region": table.region, "described": described, "first": first, "last": None})
    table.description |= {
        "LatestStreamArn": arn,
        "LatestStreamLabel": label,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": view_type},
    }


def close_stream(storage: Storage, table: Table) -> None:
    """End a table's stream; what is in it can be read for a day."""
    table.description.pop("StreamSpecification", None)
    arn = table.description.get("LatestStreamArn", "")
    known = storage.stream(arn)
    if known is not None:
        known["described"]["StreamStatus"] = "DISABLED"
        known["last"] = storage.next_number()
        storage.put_stream(arn, known)


def record_change(
    storage: Storage, table: Table, before: Item, after: Item, *, expired: bool = False
) -> None:
    """Note what a write has changed, where the table has a stream and there was a change."""
    wanted = table.description.get("StreamSpecification")
    if wanted is None or is_equal({"M": before}, {"M": after}):
        return
    view, number = wanted["StreamViewType"], storage.next_number()
    told: dict[str, Any] = {
        "ApproximateCreationDateTime": int(time.time()),
        "Keys": table.key.key_of(after or before),
        "SequenceNumber": sequence_number(number),
        "SizeBytes": item_size(before) + item_size(after),
        "StreamViewType": view,
    }
    if view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES") and after:
        told["NewImage"] = after
    if view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES") and before:
        told["OldImage"] = before
    record = {
        "eventID": uuid.uuid4().hex,
        "eventName": _event(before, after),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": table.region,
        "dynamodb": told,
    }
    storage.put_change(
        table.description["LatestStreamArn"], number, record | ({"userIdentity": _TO_LIVE} if expired else {})
    )


def _event(before: Item, after: Item) -> str:
    if not before:
        return "INSERT"
    return "MODIFY" if after else "REMOVE"


# -- reading -------------------------------------------------------------------------------------------------


class Streams:
    """The operations of DynamoDB Streams. For any thread."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def list_streams(self, region: str, request: Mapping[str, Any]) -> Answer:
        """ListStreams."""
        name, start = request.get("TableName"), request.get("ExclusiveStartStreamArn", "")
        limit = request.get("Limit", _PAGE)
        _check_limit(limit, _PAGE)
        if start:
            _check_arn(start)
        found = [
            each["described"]
            for each in self._storage.streams()
            if each["region"] == region and name in (None, each["described"]["TableName"])
        ]
        found = sorted(
            (each for each in found if each["StreamArn"] > start), key=lambda each: str(each["StreamArn"])
        )
        names = ("StreamArn", "TableName", "StreamLabel")
        answer: Answer = {"Streams": [{name: each[name] for name in names} for each in found[:limit]]}
        return answer | (
            {"LastEvaluatedStreamArn": found[limit - 1]["StreamArn"]} if len(found) > limit else {}
        )

    def describe_stream(self, region: str, request: Mapping[str, Any]) -> Answer:
        """DescribeStream."""
        known = self._find(request["StreamArn"])
        shards = [_shard(known)] if request.get("ExclusiveStartShardId", "") < _shard_id(known) else []
        wanted = request.get("ShardFilter")
        if wanted is not None:
            _check_filter(wanted)
            shards = []  # the one shard has no children
        return {"StreamDescription": {**known["described"], "Shards": shards}}

    def _find(self, arn: str) -> dict[str, Any]:
        known = self._storage.stream(arn)
        if known is None:
            _check_arn(arn)
            raise not_found(f"Requested resource not found: Stream: {arn} not found")
        return known

    def get_shard_iterator(self, region: str, request: Mapping[str, Any]) -> Answer:
        """GetShardIterator."""
        known = self._find(request["StreamArn"])
        if request["ShardId"] != _shard_id(known):
            raise not_found(f"Requested resource not found: Shard: {request['ShardId']} not found")
        self._storage.drop_changes(time.time() - KEPT)
        kind, given = request["ShardIteratorType"], request.get("SequenceNumber")
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            number = whole((given or "").lstrip("0") or "0") if given else None
            if number is None or number < 0:
                raise invalid(f"SequenceNumber must be given for ShardIteratorType {kind}")
            behind = number - (kind == "AT_SEQUENCE_NUMBER")
        elif given is not None:
            raise invalid(f"SequenceNumber must not be given for ShardIteratorType {kind}")
        else:
            behind = known["first"] if kind == "TRIM_HORIZON" else self._storage.current_number()
        return {"ShardIterator": _iterator(request["StreamArn"], behind)}

    def get_records(self, region: str, request: Mapping[str, Any]) -> Answer:
        """GetRecords."""
        arn, behind = _read_iterator(request["ShardIterator"])
        known = self._find(arn)
        limit = request.get("Limit", _RECORDS)
        _check_limit(limit, _RECORDS)
        found = self._storage.changes(arn, behind, limit)
        answer: Answer = {"Records": [record for _, record in found]}
        if known["last"] is None or len(found) == limit:
            answer["NextShardIterator"] = _iterator(arn, found[-1][0] if found else behind)
        return answer


def _check_limit(limit: int, most: int) -> None:
    if limit > most:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )


def _check_arn(arn: str) -> None:
    if not arn.startswith("arn:") or "/stream/" not in arn:
        raise invalid(f"Invalid StreamArn: {arn}")


def _check_filter(wanted: Mapping[str, Any]) -> None:
    """A filter has both members, and a shard's id is one."""
    for name in ("Type", "ShardId"):
        if wanted.get(name) is None:
            raise invalid_parameter(f"ShardFilter.{name} must be specified")
    if len(wanted["ShardId"]) < 28:
        raise invalid_parameter(f"Invalid ShardFilter.ShardId: {wanted['ShardId']}")


def _shard_id(known: Mapping[str, Any]) -> str:
    return f"shardId-{known['first']:020d}-{int(known['described']['CreationRequestDateTime']):08x}"


def _shard(known: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": sequence_number(known["first"])}
    if known["last"] is not None:
        numbers["EndingSequenceNumber"] = sequence_number(known["last"])
    return {"ShardId": _shard_id(known), "SequenceNumberRange": numbers}


def _iterator(arn: str, behind: int) -> str:
    return f"{arn}|1|{base64.b64encode(json.dumps([arn, behind]).encode()).decode()}"


def _read_iterator(text: str) -> tuple[str, int]:
    try:
        arn, behind = json.loads(base64.b64decode(text.rpartition("|")[2], validate=True))
        return str(arn), int(behind)
    except (ValueError, TypeError, binascii.Error):
        raise DynamoError("ValidationException", "Invalid ShardIterator") from None
