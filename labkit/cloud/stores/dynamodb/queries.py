"""Query and Scan: pages of items of a table or an index.

What belongs here: what a request may ask together, where a page begins and ends. What does not: conditions
themselves, SQL (storage).

AWS: API reference, Query and Scan; developer guide, "Querying tables", "Scanning tables" (1 MB a page, segments).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labkit.cloud.stores.dynamodb import keys
from labkit.cloud.stores.dynamodb.capacity import Usage, read_units
from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, invalid_parameter
from labkit.cloud.stores.dynamodb.expressions import legacy
from labkit.cloud.stores.dynamodb.expressions.binding import Binding
from labkit.cloud.stores.dynamodb.expressions.conditions import Test, make_test, told
from labkit.cloud.stores.dynamodb.expressions.key_conditions import (
    KeyTest,
    Span,
    read_expression,
    read_legacy,
    span_of,
)
from labkit.cloud.stores.dynamodb.expressions.projections import KIND as PROJECTION
from labkit.cloud.stores.dynamodb.expressions.projections import Projection, make_projection
from labkit.cloud.stores.dynamodb.items import check_styles, read_names
from labkit.cloud.stores.dynamodb.keys import KeySchema
from labkit.cloud.stores.dynamodb.storage import LAST_HASH, Bounds, Position, Row, Segment, Source, Storage
from labkit.cloud.stores.dynamodb.tables.schema import Index, Table
from labkit.cloud.stores.dynamodb.values import Item, Value, normal_item

PAGE_BYTES = 1024 * 1024
#: rows read at once: others get their turn between two such portions
_PORTION = 400
_FILTER = "FilterExpression"
_PARTS = 4

#: the rows behind a position, as many as the bounds allow
Read = Callable[[Position | None, Bounds], list[Row]]


@dataclass(frozen=True)
class View:
    """What a request reads: a table, or one of its indexes."""

    table: Table
    index: Index | None

    @property
    def key(self) -> KeySchema:
        """The key by which it is read."""
        return self.index.key if self.index else self.table.key

    @property
    def source(self) -> Source:
        """Where its rows lie."""
        return Source(self.index.number, False) if self.index else self.table.source

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that tell a row's position."""
        return tuple(dict.fromkeys((*self.key.names, *self.table.key.names)))

    def part_of(self, place: int) -> int:
        """In which of the parts that DynamoDB keeps a table in a hash lies: a new table on demand has four.

        Developer guide, "DynamoDB burst and adaptive capacity": 4,000 units of writing at once, 1,000 a part.
        """
        billing = self.table.description.get("BillingModeSummary", {}).get("BillingMode")
        return place * (_PARTS if billing == "PAY_PER_REQUEST" else 1) // (LAST_HASH + 1)

    def position(self, item: Mapping[str, Value]) -> Position:
        """Where an item, or a start key, stands."""
        return Position(self.key.place_of(item), self.table.key.place_of(item))


@dataclass(frozen=True)
class Page:
    """What a request asks of each page."""

    view: View
    limit: int | None
    start: Position | None
    test: Test | None
    shown: Projection
    counting: bool
    consistent: bool
    #: what a Scan goes through; a Query stays in one partition
    segment: Segment | None = None


def query(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """Query."""
    check_styles(request, ("KeyConditionExpression",))
    binding = Binding(request)
    view = _view(table, request)
    tests = _key_tests(request, binding)
    page = _page(view, request, binding, "QueryFilter")
    span = span_of(view.key, tests)
    _check_filter(view.key, request, binding)
    _check_start_in(span, page, request)
    forward = bool(request.get("ScanIndexForward", True))

    def read(behind: Position | None, bounds: Bounds) -> list[Row]:
        return storage.read_span(view.source, span, behind, bounds, forward=forward)

    return _answer(page, read, request)


def scan(storage: Storage, table: Table, request: Mapping[str, Any]) -> dict[str, Any]:
    """Scan."""
    check_styles(request, ("FilterExpression", "ProjectionExpression"))
    view = _view(table, request)
    segment = _segment(request)
    page = replace(_page(view, request, Binding(request), "ScanFilter"), segment=segment)
    if page.start and not segment.first <= page.start.entry.hash <= segment.last:
        raise invalid(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
            f"correct Segment. TotalSegments: {request['TotalSegments']} Segment: {request['Segment']}"
        )

    def read(behind: Position | None, bounds: Bounds) -> list[Row]:
        return storage.read_segment(view.source, segment, behind, bounds)

    return _answer(page, read, request)


# -- what requests mean --------------------------------------------------------------------------------------


def _view(table: Table, request: Mapping[str, Any]) -> View:
    name = request.get("IndexName")
    if name is None:
        return View(table, None)
    index = table.indexes.get(name)
    if index is None:
        raise invalid(f"The table does not have the specified index: {name}")
    if index.is_global and request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return View(table, index)


def _key_tests(request: Mapping[str, Any], binding: Binding) -> list[KeyTest]:
    if request.get("KeyConditionExpression") is not None:
        return read_expression(request["KeyConditionExpression"], binding)
    conditions = request.get("KeyConditions")
    if conditions is None:
        raise invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    return read_legacy({name: legacy.normal_condition(each) for name, each in conditions.items()})


def _page(view: View, request: Mapping[str, Any], binding: Binding, older: str) -> Page:
    selected = _selected(view, request)
    test = _filter(request, binding, older)
    projection: Projection | None = None
    if request.get("ProjectionExpression") is not None:
        projection, _ = make_projection(request["ProjectionExpression"], binding)
    else:
        projection = read_names(request)
    binding.check_all_used()
    _check_projected(view, request, binding)
    return Page(
        view,
        request.get("Limit"),
        _start(view, request),
        test,
        _shown(view, selected, projection),
        selected == "COUNT",
        bool(request.get("ConsistentRead")),
    )


def _selected(view: View, request: Mapping[str, Any]) -> str:
    """What to show of items, the parameter Select or what follows from the others. Raises DynamoError."""
    name = next((name for name in ("AttributesToGet", "ProjectionExpression") if request.get(name)), "")
    select = request.get("Select")
    if select is None:
        return (
            "SPECIFIC_ATTRIBUTES" if name else "ALL_PROJECTED_ATTRIBUTES" if view.index else "ALL_ATTRIBUTES"
        )
    if select == "SPECIFIC_ATTRIBUTES" and not name:
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if select != "SPECIFIC_ATTRIBUTES" and name:
        what = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the {name} when choosing to get {what}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and view.index is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "ALL_ATTRIBUTES" and view.index and view.index.is_global and view.index.names is not None:
        raise invalid_parameter(
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {view.index.name} "
            "because its projection type is not ALL"
        )
    return str(select)


def _shown(view: View, selected: str, projection: Projection | None) -> Projection:
    """What is shown of an item; a local index fetches from the table what it does not hold."""
    index = view.index
    if projection is not None:
        return projection
    return index.shown if index and selected != "ALL_ATTRIBUTES" else lambda item: item


def _check_projected(view: View, request: Mapping[str, Any], binding: Binding) -> None:
    """A global index can't fetch from the table what it does not hold."""
    index = view.index
    if index is None or not index.is_global or index.names is None:
        return
    wanted = [*(request.get("AttributesToGet") or ()), *binding.roots.get(PROJECTION, ())]
    missing = [name for name in wanted if name not in index.names]
    if missing:
        raise invalid_parameter(
            f"Global secondary index {index.name} does not project [{', '.join(missing)}]"
        )


def _filter(request: Mapping[str, Any], binding: Binding, older: str) -> Test | None:
    if request.get(_FILTER) is not None:
        return make_test(_FILTER, request[_FILTER], binding)
    conditions, together = request.get(older), request.get("ConditionalOperator")
    legacy.check_together(conditions, together)
    if not conditions:
        return None
    return legacy.make_filter(
        {name: legacy.normal_condition(each) for name, each in conditions.items()}, together
    )


def _check_filter(key: KeySchema, request: Mapping[str, Any], binding: Binding) -> None:
    """Raise DynamoError when a Query's filter names an attribute of its key."""
    for what, names in (
        ("Filter Expression", binding.roots.get(_FILTER, ())),
        ("QueryFilter", request.get("QueryFilter") or ()),
    ):
        for name in names:
            if name in key.names:
                raise invalid(
                    f"{what} can only contain non-primary key attributes: Primary key attribute: {name}"
                )


def _start(view: View, request: Mapping[str, Any]) -> Position | None:
    key = request.get("ExclusiveStartKey")
    if key is None:
        return None
    normal = normal_item(key)
    if set(normal) != set(view.names):
        raise _bad_start(f": {keys.MISMATCH}" if not view.index else "")
    try:
        for schema in (view.key, view.table.key):
            keys.check_key(schema, schema.key_of(normal))
    except DynamoError as error:
        raise _bad_start(f": {error.message}") from None
    return view.position(normal)


def _bad_start(why: str) -> DynamoError:
    return invalid(f"The provided starting key is invalid{why}")


def _check_start_in(span: Span, page: Page, request: Mapping[str, Any]) -> None:
    """Raise DynamoError when the start key lies in another partition, or beside the conditions on the sort key."""
    if page.start is None:
        return
    if page.view.index is None and not page.view.key.sort:
        key = ", ".join(f"{name}={told(value)}" for name, value in request["ExclusiveStartKey"].items())
        raise invalid(f"The provided exclusive start key is invalid: ExclusiveStartKey: {{{key}}}")
    entry = page.start.entry
    if entry.partition != span.partition:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    below = span.low is not None and (entry.sort < span.low or (entry.sort == span.low and not span.with_low))
    above = span.high is not None and (
        entry.sort > span.high or (entry.sort == span.high and not span.with_high)
    )
    if below or above:
        raise invalid("The provided starting key does not match the range key predicate")


def _segment(request: Mapping[str, Any]) -> Segment:
    number, count = request.get("Segment"), request.get("TotalSegments")
    if number is None and count is None:
        return Segment()
    words = "The {} parameter is required but was not present in the request when {} parameter is present"
    if count is None:
        raise invalid(words.format("TotalSegments", "Segment"))
    if number is None:
        raise invalid(words.format("Segment", "TotalSegments"))
    if number >= count:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {number} is not less than TotalSegments: {count}"
        )
    whole = LAST_HASH + 1
    return Segment(number * whole // count, (number + 1) * whole // count - 1)


# -- pages ---------------------------------------------------------------------------------------------------


def _answer(page: Page, read: Read, request: Mapping[str, Any]) -> dict[str, Any]:
    shown: list[Item] = []
    scanned = count = size = 0
    last: Row | None = None
    sizes: Counter[int] = Counter()
    for row in _rows(page, read):
        scanned, size, last = scanned + 1, size + row.size, row
        sizes[page.view.part_of(row.entry.hash)] += row.size
        held = page.view.index.shown(row.item) if page.view.index and page.view.index.is_global else row.item
        if page.test is None or page.test(held):
            count += 1
            if not page.counting:
                shown.append(page.shown(row.item))
        if scanned == page.limit or size > PAGE_BYTES:
            break
    else:
        last = None
    answer: dict[str, Any] = {} if page.counting else {"Items": shown}
    answer |= {"Count": count, "ScannedCount": scanned}
    if last is not None:
        answer["LastEvaluatedKey"] = {name: last.item[name] for name in page.view.names}
    return answer | _consumed(page, sizes, last, request)


def _rows(page: Page, read: Read) -> Iterator[Row]:
    """All rows, a portion at a time."""
    behind, left = page.start, page.limit
    while True:
        most = _PORTION if left is None else min(left, _PORTION)
        rows = read(behind, Bounds(most, PAGE_BYTES))
        yield from rows
        if not rows or left == len(rows):
            return
        left = None if left is None else left - len(rows)
        behind = Position(rows[-1].entry, rows[-1].place)


def _consumed(
    page: Page, sizes: Mapping[int, int], last: Row | None, request: Mapping[str, Any]
) -> dict[str, Any]:
    """What a page used. A Scan reads in each part of a table that it comes to, and in each at least one unit."""
    usage, view = Usage(request), page.view
    parts = list(sizes) or [0]
    if page.segment is not None:
        begin = page.start.entry.hash if page.start else page.segment.first
        end = last.entry.hash if last else page.segment.last
        parts = list(range(view.part_of(begin), view.part_of(end) + 1))
    units = sum(read_units(sizes.get(part, 0), consistent=page.consistent) for part in parts)
    usage.add(view.table, units, view.index.name if view.index else "")
    return usage.of_one()
