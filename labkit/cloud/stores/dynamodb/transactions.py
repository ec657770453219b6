"""TransactGetItems and TransactWriteItems.

What belongs here: all or nothing, the reasons of a cancelled transaction, tokens that make a repeated request the
same. What does not: one item (items).

AWS: API reference of the two operations, "TransactionCanceledException"; developer guide, "DynamoDB transactions"
(100 actions, 4 MB, tokens of 10 minutes).
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.cloud.stores.dynamodb.batches import FindTable, collections
from labkit.cloud.stores.dynamodb.capacity import Usage, read_units
from labkit.cloud.stores.dynamodb.errors import DynamoError, ItemError, invalid
from labkit.cloud.stores.dynamodb.items import (
    Write,
    carry_out,
    check_condition,
    check_styles,
    read_delete,
    read_key,
    read_projection,
    read_put,
    read_update,
)
from labkit.cloud.stores.dynamodb.storage import Storage
from labkit.cloud.stores.dynamodb.values import item_size

_BYTES = 4 * 1024 * 1024
_TOKEN_SECONDS = 600
_NO_REASON = {"Code": "None"}
_READERS = {"Put": read_put, "Update": read_update, "Delete": read_delete, "ConditionCheck": read_delete}


class Tokens:
    """The client request tokens of the last ten minutes, each with what it was sent for."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def is_repeated(self, token: str, request: Mapping[str, Any]) -> bool:
        """Whether the same request has succeeded with this token. Raises DynamoError for another request."""
        digest, now = _digest(request), time.monotonic()
        with self._lock:
            self._seen = {name: each for name, each in self._seen.items() if now - each[0] < _TOKEN_SECONDS}
            known = self._seen.get(token)
        if known is not None and known[1] != digest:
            raise DynamoError(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request. "
                "Do not reuse a client token with different requests, unless the requests are identical",
            )
        return known is not None

    def keep(self, token: str, request: Mapping[str, Any]) -> None:
        """The request with this token has succeeded."""
        with self._lock:
            self._seen[token] = (time.monotonic(), _digest(request))


def _digest(request: Mapping[str, Any]) -> bytes:
    text = json.dumps(request["TransactItems"], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def transact_get_items(storage: Storage, find_table: FindTable, request: Mapping[str, Any]) -> dict[str, Any]:
    """TransactGetItems: all items as they were at one moment."""
    usage = Usage(request)
    wanted = []
    for each in request["TransactItems"]:
        asked = each["Get"]
        check_styles(asked, ("ProjectionExpression",))
        table = find_table(asked["TableName"])
        wanted.append((table, table.key.place_of(read_key(table, asked["Key"])), read_projection(asked)))
    responses: list[dict[str, Any]] = []
    with storage.transaction():
        for table, place, projection in wanted:
            item, size = storage.get(table.number, place)
            usage.add(table, 2 * read_units(size, consistent=True))
            responses.append({"Item": projection(item) if projection else item} if item else {})
    return {"Responses": responses} | usage.of_many()


def transact_write_items(
    storage: Storage, find_table: FindTable, request: Mapping[str, Any], tokens: Tokens
) -> dict[str, Any]:
    """TransactWriteItems: every action, or none."""
    token = request.get("ClientRequestToken")
    writes = _read_all(find_table, request["TransactItems"])
    _check_distinct(writes)
    _check_payload(request["TransactItems"])
    usage = Usage(request)
    if not (token and tokens.is_repeated(token, request)):
        _carry_out(storage, writes, usage)
        if token:
            tokens.keep(token, request)
    answer: dict[str, Any] = {}
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        by_table: dict[str, list[Write]] = {}
        for _, write in writes:
            by_table.setdefault(write.table.name, []).append(write)
        answer |= collections(by_table)
    return answer | usage.of_many()


def _read_all(find_table: FindTable, actions: Sequence[Mapping[str, Any]]) -> list[tuple[str, Write]]:
    """All writes. Raises DynamoError; the first item or key that does not fit its table cancels all, the rest is unread."""
    writes: list[tuple[str, Write]] = []
    reasons: list[dict[str, Any]] = []
    for action in actions:
        reasons.append(_NO_REASON)
        try:
            writes.append(_read(find_table, action))
        except ItemError as error:
            if len(writes) + 1 == len(reasons):
                reasons[-1] = _reason(error)
    if len(writes) < len(reasons):
        raise _cancelled(reasons)
    return writes


def _read(find_table: FindTable, action: Mapping[str, Any]) -> tuple[str, Write]:
    named = [name for name in _READERS if action.get(name) is not None]
    if len(named) != 1:
        raise invalid(
            "TransactItems can only contain one of Check, Put, Update or Delete"
            if named
            else "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"
        )
    (name,) = named
    asked = action[name]
    check_styles(asked, ())
    return name, _READERS[name](find_table(asked["TableName"]), asked)


def _check_distinct(writes: Sequence[tuple[str, Write]]) -> None:
    places = [(write.table.number, write.place) for _, write in writes]
    if len(set(places)) != len(places):
        raise invalid("Transaction request cannot include multiple operations on one item")


def _check_payload(actions: Sequence[Mapping[str, Any]]) -> None:
    """What a transaction sends may be 4 MB, whatever the items that it changes are."""
    size = sum(_payload(asked) for action in actions for asked in action.values())
    if size > _BYTES:
        raise invalid(f"Transaction payload size cannot exceed 4MB. Payload Size: {size}")


def _payload(asked: Mapping[str, Any]) -> int:
    """The bytes of the items, keys and values of one action."""
    return sum(
        item_size(asked.get(name) or {}) for name in ("Item", "Key", "ExpressionAttributeValues")
    )  # fmt: skip


def _carry_out(storage: Storage, writes: Sequence[tuple[str, Write]], usage: Usage) -> None:
    with storage.transaction():
        reasons = [_try(storage, name, write, usage) for name, write in writes]
        if any(reason is not _NO_REASON for reason in reasons):
            raise _cancelled(reasons)


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> DynamoError:
    codes = ", ".join(reason["Code"] for reason in reasons)
    words = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return DynamoError("TransactionCanceledException", words, {"CancellationReasons": reasons})


def _try(storage: Storage, name: str, write: Write, usage: Usage) -> dict[str, Any]:
    """Do one action; the reason why it can't be done, where it can't, is what is told."""
    try:
        if name == "ConditionCheck":
            check_condition(write, storage.get(write.table.number, write.place)[0])
        else:
            carry_out(storage, write, usage, times=2)
    except DynamoError as error:
        return _reason(error)
    return _NO_REASON


def _reason(error: DynamoError) -> dict[str, Any]:
    code = error.code.removesuffix("Exception").replace("Validation", "ValidationError")
    return {"Code": code, "Message": error.message, **error.members}
