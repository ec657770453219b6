"""BatchGetItem and BatchWriteItem.

What belongs here: the limits of a batch, and what of it is left unprocessed. What does not: one item (items).

AWS: API reference of the two operations (100 keys, 25 writes, 16 MB).
"""

from collections.abc import Callable, Mapping
from typing import Any

from labkit.cloud.stores.dynamodb.capacity import Usage, read_units
from labkit.cloud.stores.dynamodb.errors import invalid
from labkit.cloud.stores.dynamodb.items import (
    Write,
    carry_out,
    check_styles,
    collection_of,
    read_delete,
    read_key,
    read_projection,
    read_put,
)
from labkit.cloud.stores.dynamodb.storage import Storage
from labkit.cloud.stores.dynamodb.tables.schema import Table

_KEYS, _WRITES, _BYTES = 100, 25, 16 * 1024 * 1024
_DUPLICATES = "Provided list of item keys contains duplicates"

FindTable = Callable[[str], Table]


def batch_get_item(storage: Storage, find_table: FindTable, request: Mapping[str, Any]) -> dict[str, Any]:
    """BatchGetItem: what does not fit into 16 MB is left as UnprocessedKeys."""
    wanted = request["RequestItems"]
    _check_count(sum(len(each["Keys"]) for each in wanted.values()), _KEYS, "BatchGetItem", wanted)
    usage, size = Usage(request), 0
    found: dict[str, list[Any]] = {}
    left: dict[str, dict[str, Any]] = {}
    for name, asked in wanted.items():
        check_styles(asked, ("ProjectionExpression",))
        table, projection = find_table(name), read_projection(asked)
        keys = [read_key(table, key) for key in asked["Keys"]]
        places = [table.key.place_of(key) for key in keys]
        if len(set(places)) != len(places):
            raise invalid(_DUPLICATES)
        answers = found.setdefault(name, [])
        for key, place in zip(keys, places, strict=True):
            if size > _BYTES:
                left.setdefault(name, {**asked, "Keys": []})["Keys"].append(key)
                continue
            item, bytes_read = storage.get(table.number, place)
            size += bytes_read
            usage.add(table, read_units(bytes_read, consistent=bool(asked.get("ConsistentRead"))))
            if item:
                answers.append(projection(item) if projection else item)
    return {"Responses": found, "UnprocessedKeys": left} | usage.of_many()


def batch_write_item(storage: Storage, find_table: FindTable, request: Mapping[str, Any]) -> dict[str, Any]:
    """BatchWriteItem: nothing is written of a batch with a mistake in it."""
    wanted = request["RequestItems"]
    _check_count(sum(map(len, wanted.values())), _WRITES, "BatchWriteItem", wanted)
    writes: dict[str, list[Write]] = {}
    for name, requests in wanted.items():
        table = find_table(name)
        writes[name] = [_write(table, each) for each in requests]
        places = [write.place for write in writes[name]]
        if len(set(places)) != len(places):
            raise invalid(_DUPLICATES)
    usage = Usage(request)
    with storage.transaction():
        for each in writes.values():
            for write in each:
                carry_out(storage, write, usage)
    answer: dict[str, Any] = {"UnprocessedItems": {}}
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        answer |= collections(writes)
    return answer | usage.of_many()


def _check_count(count: int, most: int, operation: str, wanted: Mapping[str, Any]) -> None:
    if not wanted or not count:
        raise invalid(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if count > most:
        if operation == "BatchGetItem":
            raise invalid("Too many items requested for the BatchGetItem call")
        raise invalid("Too many items requested for the BatchWriteItem call")


def _write(table: Table, request: Mapping[str, Any]) -> Write:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    if (put is None) == (delete is None):
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
            if put is not None
            else "Supplied WriteRequest is empty, must contain exactly one of PutRequest and DeleteRequest"
        )
    return read_put(table, put) if put is not None else read_delete(table, delete or {})


def collections(writes: Mapping[str, list[Write]]) -> dict[str, Any]:
    """ItemCollectionMetrics of many writes, by table; nothing where no table has local indexes."""
    metrics: dict[str, list[Any]] = {}
    for name, each in writes.items():
        for write in each:
            collection = collection_of(write)
            if collection and collection not in metrics.get(name, ()):
                metrics.setdefault(name, []).append(collection)
    return {"ItemCollectionMetrics": metrics} if metrics else {}
