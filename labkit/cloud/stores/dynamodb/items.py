"""Single items: GetItem, PutItem, UpdateItem, DeleteItem, and the write that they share with batches and transactions.

What belongs here: reading and changing one item under its condition. What does not: many (batches, transactions,
queries), expressions.

AWS: API reference of the four operations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.cloud.stores.dynamodb import keys
from labkit.cloud.stores.dynamodb.capacity import Usage, read_units, write_units
from labkit.cloud.stores.dynamodb.errors import ItemError, condition_failed, invalid
from labkit.cloud.stores.dynamodb.expressions import legacy
from labkit.cloud.stores.dynamodb.expressions.binding import Binding
from labkit.cloud.stores.dynamodb.expressions.binding import Place as Path
from labkit.cloud.stores.dynamodb.expressions.conditions import Test, make_test
from labkit.cloud.stores.dynamodb.expressions.paths import find
from labkit.cloud.stores.dynamodb.expressions.projections import Projection, make_projection, pick, project
from labkit.cloud.stores.dynamodb.expressions.updates import Update, make_update
from labkit.cloud.stores.dynamodb.keys import Place
from labkit.cloud.stores.dynamodb.storage import Storage
from labkit.cloud.stores.dynamodb.tables.schema import Index, Table
from labkit.cloud.stores.dynamodb.tables.streams import record_change
from labkit.cloud.stores.dynamodb.values import ITEM_BYTES, Item, Value, item_size, normal_item

Change = Callable[[Item], dict[str, Value]]
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_TOO_LARGE_NOW = "Item size to update has exceeded the maximum allowed size"
#: (the older key conditions may stand beside the newer filters)
_LEGACY = (
    "Expected",
    "ConditionalOperator",
    "AttributeUpdates",
    "AttributesToGet",
    "QueryFilter",
    "ScanFilter",
)
_EXPRESSIONS = (
    "ConditionExpression",
    "UpdateExpression",
    "ProjectionExpression",
    "FilterExpression",
    "KeyConditionExpression",
)


@dataclass(frozen=True)
class Write:
    """One write that was checked: what it makes of the item at its place, if that is as expected.

    `change` is None for a deletion, `test` None without a condition. `seen` is what the old item is to be shown for a
    condition that fails: "ALL_OLD" or "NONE". `touched`: the paths that an update names. `size` is the new item's in
    bytes, where it is known before; `expired`: it is deleted because its time has come.
    """

    table: Table
    key: Mapping[str, Value]
    place: Place
    change: Change | None
    test: Test | None = None
    seen: str = "NONE"
    touched: tuple[Path, ...] = ()
    size: int = 0
    expired: bool = False


@dataclass(frozen=True)
class Written:
    """What a write has found and left; {} for no item."""

    before: Item
    after: Item


# -- what requests mean --------------------------------------------------------------------------------------


def check_styles(request: Mapping[str, Any], placeholders_for: tuple[str, ...]) -> None:
    """Raise DynamoError for expressions beside older parameters, and for placeholders without expressions."""
    expressions = [name for name in _EXPRESSIONS if request.get(name) is not None]
    older = [name for name in _LEGACY if request.get(name) is not None]
    if request.get("KeyConditionExpression") is not None and request.get("KeyConditions") is not None:
        older.append("KeyConditions")
    if expressions and older:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(older)}}} Expression parameters: {{{', '.join(expressions)}}}"
        )
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if request.get(name) is not None and not expressions:
            missing = f": {placeholders_for[0]} is null" if len(placeholders_for) == 1 else ""
            raise invalid(f"{name} can only be specified when using expressions{missing}")


def read_put(table: Table, request: Mapping[str, Any]) -> Write:
    """What a PutItem, or a Put of a transaction or batch, means. Raises DynamoError."""
    item = normal_item(request["Item"])
    legacy.check_names(item)
    binding = Binding(request)
    test = _condition(request, binding)
    binding.check_all_used()
    check_keys(table, item)
    size = _bounded_size(item, _TOO_LARGE)
    key, place = table.key.key_of(item), table.key.place_of(item)
    return Write(table, key, place, lambda _: item, test, _seen(request), size=size)


def read_delete(table: Table, request: Mapping[str, Any]) -> Write:
    """What a DeleteItem, a Delete or a condition check means. Raises DynamoError."""
    key = read_key(table, request["Key"])
    binding = Binding(request)
    test = _condition(request, binding)
    binding.check_all_used()
    return Write(table, key, table.key.place_of(key), None, test, _seen(request))


def read_update(table: Table, request: Mapping[str, Any]) -> Write:
    """What an UpdateItem, or an Update of a transaction, means. Raises DynamoError."""
    key = normal_item(request["Key"])
    binding, update = Binding(request), Update()
    if request.get("UpdateExpression") is not None:
        update = make_update(request["UpdateExpression"], binding, table.key)
    elif request.get("AttributeUpdates") is not None:
        update = legacy.make_update(request["AttributeUpdates"], table.key)
    test = _condition(request, binding)
    binding.check_all_used()
    keys.check_key(table.key, key)
    return Write(
        table,
        key,
        table.key.place_of(key),
        _changing(table, key, update),
        test,
        _seen(request),
        update.places,
    )


def _changing(table: Table, key: Item, update: Update) -> Change:
    def change(before: Item) -> dict[str, Value]:
        if not before and not update.creates:
            return {}
        after = update.change(before or key)
        check_keys(table, after)
        return after

    return change


def read_key(table: Table, key: Mapping[str, Any]) -> dict[str, Value]:
    """A key in normal form. Raises DynamoError when it is none of this table's."""
    normal = normal_item(key)
    keys.check_key(table.key, normal)
    return normal


def check_keys(table: Table, item: Item) -> None:
    """Raise DynamoError for an item whose keys are not the table's and its indexes'."""
    keys.check_item_key(table.key, item)
    for index in table.indexes.values():
        keys.check_index_key(index.key, index.name, item)


def _bounded_size(item: Item, too_large: str) -> int:
    size = item_size(item)
    if size > ITEM_BYTES:
        raise ItemError(too_large)
    return size


def _condition(request: Mapping[str, Any], binding: Binding) -> Test | None:
    if request.get("ConditionExpression") is not None:
        return make_test("ConditionExpression", request["ConditionExpression"], binding)
    expected, together = request.get("Expected"), request.get("ConditionalOperator")
    legacy.check_together(expected, together)
    return legacy.make_expected(expected, together) if expected else None


def _seen(request: Mapping[str, Any]) -> str:
    return str(request.get("ReturnValuesOnConditionCheckFailure", "NONE"))


# -- carrying them out ---------------------------------------------------------------------------------------


def carry_out(storage: Storage, write: Write, usage: Usage, *, times: int = 1) -> Written:
    """Do a write inside a transaction of the storage. Raises DynamoError when its condition does not hold."""
    before, old = storage.get(write.table.number, write.place)
    check_condition(write, before)
    after = write.change(before) if write.change else {}
    new = write.size or _bounded_size(after, _TOO_LARGE_NOW)
    if after:
        storage.put(write.table.number, write.place, new, after)
    elif before:
        storage.delete(write.table.number, write.place)
    usage.add(write.table, times * write_units(max(old, new)))
    record_change(storage, write.table, before, after, expired=write.expired)
    for index in write.table.indexes.values():
        _update_index(storage, write, index, before, after, usage, times)
    return Written(before, after)


def check_condition(write: Write, before: Item) -> None:
    """Raise DynamoError when the write's condition does not hold for what is there."""
    if write.test and not write.test(before):
        raise condition_failed(before if write.seen == "ALL_OLD" else None)


def _update_index(
    storage: Storage, write: Write, index: Index, before: Item, after: Item, usage: Usage, times: int
) -> None:
    """An index costs a write for the entry that goes, one for the entry that comes, one for one that changes."""
    was = index.key.place_of(before) if index.key.is_in(before) else None
    now = index.key.place_of(after) if index.key.is_in(after) else None
    units = 0.0
    if was is not None and was != now:
        storage.delete_entry(index.number, was, write.place)
        units += write_units(item_size(index.shown(before)))
    if now is not None and was != now:
        storage.put_entry(index.number, now, write.table.number, write.place)
        units += write_units(item_size(index.shown(after)))
    elif now is not None and index.shown(before) != index.shown(after):
        units += write_units(max(item_size(index.shown(each)) for each in (before, after)))
    if units:
        usage.add(write.table, times * units, index.name)


def collection_of(write: Write) -> dict[str, Any] | None:
    """ItemCollectionMetrics of a table with local indexes: the key, and the estimate in GB that AWS gives."""
    if all(index.is_global for index in write.table.indexes.values()):
        return None
    partition = {each.name: write.key[each.name] for each in write.table.key.partition}
    return {"ItemCollectionKey": partition, "SizeEstimateRangeGB": [0.0, 1.0]}


# -- the operations ------------------------------------------------------------------------------------------


def get_item(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """GetItem."""
    usage = Usage(request)
    check_styles(request, ("ProjectionExpression",))
    key = normal_item(request["Key"])
    projection = read_projection(request)
    keys.check_key(table.key, key)
    found, size = storage.get(table.number, table.key.place_of(key))
    usage.add(table, read_units(size, consistent=bool(request.get("ConsistentRead"))))
    answer: dict[str, Any] = {}
    if found:
        answer["Item"] = projection(found) if projection else found
    return answer | usage.of_one()


def read_projection(request: Mapping[str, Any]) -> Projection | None:
    """What a read wants to see of items, None for all. Raises DynamoError."""
    binding, projection = Binding(request), None
    if request.get("ProjectionExpression") is not None:
        projection, _ = make_projection(request["ProjectionExpression"], binding)
    binding.check_all_used()
    return projection or read_names(request)


def read_names(request: Mapping[str, Any]) -> Projection | None:
    """The older parameter AttributesToGet. Raises DynamoError."""
    names = request.get("AttributesToGet")
    if names is None:
        return None
    legacy.check_names(names)
    if len(set(names)) != len(names):
        raise invalid(
            "One or more parameter values were invalid: Duplicate value in attribute name: "
            + next(name for name in names if names.count(name) > 1)
        )
    return pick(names)


def put_item(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """PutItem."""
    check_styles(request, ("ConditionExpression",))
    _check_return_values(request, ("NONE", "ALL_OLD"))
    return _answer(storage, read_put(table, request), request)


def delete_item(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteItem."""
    check_styles(request, ("ConditionExpression",))
    _check_return_values(request, ("NONE", "ALL_OLD"))
    return _answer(storage, read_delete(table, request), request)


def update_item(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateItem."""
    check_styles(request, ("UpdateExpression", "ConditionExpression"))
    return _answer(storage, read_update(table, request), request)


def _check_return_values(request: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    if request.get("ReturnValues", "NONE") not in allowed:
        raise invalid("Return values set to invalid value")


def _answer(storage: Storage, write: Write, request: Mapping[str, Any]) -> dict[str, Any]:
    usage = Usage(request)
    with storage.transaction():
        written = carry_out(storage, write, usage)
    answer = _returned(write, written, request.get("ReturnValues", "NONE"))
    if request.get("ReturnItemCollectionMetrics") == "SIZE" and (collection := collection_of(write)):
        answer["ItemCollectionMetrics"] = collection
    return answer | usage.of_one()


def _returned(write: Write, written: Written, wanted: str) -> dict[str, Any]:
    item = written.before if wanted.endswith("_OLD") else written.after
    if wanted.startswith("UPDATED"):
        item = _touched(item, write.touched)
    return {"Attributes": item} if item and wanted != "NONE" else {}


def _touched(item: Item, places: tuple[Path, ...]) -> Item:
    """The parts of an item that an update names, as they are now; list members stand together, without gaps."""
    return project(item, [place for place in places if find(item, place) is not None])
