"""Where rows lie: SQLite, in a file or in memory.

Rows are found by (table, hash of the partition key, partition key, sort key), so a Query is one range and a Scan, or a
segment of one, another. Secondary indexes are rows that name the item's place. What a transaction has written is in
the file when it ends (write-ahead log: a killed process loses nothing that it acknowledged).

What belongs here: SQL. What does not: what rows mean.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.cloud.stores.database import Database
from labkit.cloud.stores.dynamodb.expressions.key_conditions import Span
from labkit.cloud.stores.dynamodb.keys import Place
from labkit.cloud.stores.dynamodb.values import Item

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (id INTEGER PRIMARY KEY, region TEXT, name TEXT, description TEXT,
  UNIQUE (region, name));
CREATE TABLE IF NOT EXISTS items (owner INTEGER, hash INTEGER, pk BLOB, sk BLOB, size INTEGER, item TEXT,
  PRIMARY KEY (owner, hash, pk, sk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (owner INTEGER, hash INTEGER, pk BLOB, sk BLOB,
  item_owner INTEGER, item_hash INTEGER, item_pk BLOB, item_sk BLOB,
  PRIMARY KEY (owner, hash, pk, sk, item_hash, item_pk, item_sk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (arn TEXT PRIMARY KEY, stream TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (arn TEXT, number INTEGER, at REAL, record TEXT,
  PRIMARY KEY (arn, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
#: the last hash that a row can have
LAST_HASH = (1 << 63) - 1


@dataclass(frozen=True)
class Row:
    """An item as it lies: `place` is its own, `entry` that of the index by which it was found."""

    place: Place
    entry: Place
    size: int
    item: dict[str, Any]


@dataclass(frozen=True)
class Segment:
    """The partitions with a hash from `first` to `last`."""

    first: int = 0
    last: int = LAST_HASH


@dataclass(frozen=True)
class Bounds:
    """How much to read at once: rows, and bytes of items (the row with which there are more is the last)."""

    rows: int
    size: int


class Storage(Database):
    """All rows of all regions. For any thread; `transaction()` is for one at a time."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file, made where it is missing; None keeps everything in memory."""
        super().__init__(path, _SCHEMA)

    # -- tables --------------------------------------------------------------------------------------------

    def tables(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Id, region, name and description of each table."""
        with self._lock:
            found = self._base.execute("SELECT id, region, name, description FROM tables").fetchall()
        return [(number, region, name, json.loads(text)) for number, region, name, text in found]

    def put_table(self, owner: int, region: str, name: str, description: Mapping[str, Any]) -> None:
        """Write a table's description."""
        with self._lock:
            self._base.execute(
                "INSERT OR REPLACE INTO tables VALUES (?, ?, ?, ?)",
                (owner, region, name, json.dumps(description)),
            )

    def drop_table(self, owner: int, indexes: Sequence[int]) -> None:
        """Forget a table with its rows."""
        with self.transaction():
            self._base.execute("DELETE FROM tables WHERE id = ?", (owner,))
            self._base.execute("DELETE FROM items WHERE owner = ?", (owner,))
            for each in indexes:
                self.drop_index(each)

    def drop_index(self, index: int) -> None:
        """Forget an index's entries."""
        with self._lock:
            self._base.execute("DELETE FROM entries WHERE owner = ?", (index,))

    def measure(self, owner: int) -> tuple[int, int]:
        """How many items a table holds, and their bytes."""
        with self._lock:
            found = self._base.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM items WHERE owner = ?", (owner,)
            ).fetchone()
        return int(found[0]), int(found[1])

    def measure_index(self, index: int) -> tuple[int, int]:
        """How many items an index holds, and their bytes."""
        with self._lock:
            found = self._base.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM entries JOIN items ON items.owner = item_owner "
                "AND items.hash = item_hash AND items.pk = item_pk AND items.sk = item_sk WHERE entries.owner = ?",
                (index,),
            ).fetchone()
        return int(found[0]), int(found[1])

    # -- items ---------------------------------------------------------------------------------------------

    def get(self, owner: int, place: Place) -> tuple[dict[str, Any], int]:
        """The item at a place and its size; ({}, 0) where there is none."""
        with self._lock:
            found = self._base.execute(
                "SELECT item, size FROM items WHERE owner = ? AND hash = ? AND pk = ? AND sk = ?",
                (owner, place.hash, place.partition, place.sort),
            ).fetchone()
        return (json.loads(found[0]), found[1]) if found else ({}, 0)

    def put(self, owner: int, place: Place, size: int, item: Item) -> None:
        """Write an item to its place."""
        with self._lock:
            self._base.execute(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)",
                (owner, place.hash, place.partition, place.sort, size, json.dumps(item, ensure_ascii=False)),
            )

    def delete(self, owner: int, place: Place) -> None:
        """Take the item from its place."""
        with self._lock:
            self._base.execute(
                "DELETE FROM items WHERE owner = ? AND hash = ? AND pk = ? AND sk = ?",
                (owner, place.hash, place.partition, place.sort),
            )

    def put_entry(self, index: int, entry: Place, owner: int, place: Place) -> None:
        """Let an index find an item."""
        with self._lock:
            self._base.execute(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    index,
                    entry.hash,
                    entry.partition,
                    entry.sort,
                    owner,
                    place.hash,
                    place.partition,
                    place.sort,
                ),
            )

    def delete_entry(self, index: int, entry: Place, place: Place) -> None:
        """Let an index find it no more."""
        with self._lock:
            self._base.execute(
                "DELETE FROM entries WHERE owner = ? AND hash = ? AND pk = ? AND sk = ? "
                "AND item_hash = ? AND item_pk = ? AND item_sk = ?",
                (index, entry.hash, entry.partition, entry.sort, place.hash, place.partition, place.sort),
            )

    # -- ranges --------------------------------------------------------------------------------------------

    def read_span(
        self, source: "Source", span: Span, behind: "Position | None", bounds: "Bounds", *, forward: bool
    ) -> list[Row]:
        """The next rows of one partition, in order of the sort key, those behind a position."""
        where, values = ["owner = ?", "hash = ?", "pk = ?"], [source.owner, span.hash, span.partition]
        if span.low is not None:
            where.append(f"sk {'>=' if span.with_low else '>'} ?")
            values.append(span.low)
        if span.high is not None:
            where.append(f"sk {'<=' if span.with_high else '<'} ?")
            values.append(span.high)
        columns = ("sk",) if source.is_table else ("sk", "item_hash", "item_pk", "item_sk")
        if behind is not None:
            where.append(
                f"({', '.join(columns)}) {'>' if forward else '<'} ({', '.join('?' * len(columns))})"
            )
            values += behind.values(source)[2:]
        order = ", ".join(f"{column} {'ASC' if forward else 'DESC'}" for column in columns)
        return self._rows(source, where, values, order, bounds)

    def read_segment(
        self, source: "Source", segment: Segment, behind: "Position | None", bounds: "Bounds"
    ) -> list[Row]:
        """The next rows in order of their hash, those behind a position."""
        where, values = ["owner = ?", "hash BETWEEN ? AND ?"], [source.owner, segment.first, segment.last]
        columns: tuple[str, ...] = ("hash", "pk", "sk")
        if not source.is_table:
            columns += ("item_hash", "item_pk", "item_sk")
        if behind is not None:
            where.append(f"({', '.join(columns)}) > ({', '.join('?' * len(columns))})")
            values += behind.values(source)
        return self._rows(source, where, values, ", ".join(columns), bounds)

    def _rows(
        self, source: "Source", where: Sequence[str], values: Sequence[Any], order: str, bounds: "Bounds"
    ) -> list[Row]:
        condition = " AND ".join(where)
        if source.is_table:
            query = f"SELECT hash, pk, sk, hash, pk, sk, size, item FROM items WHERE {condition} ORDER BY {order} LIMIT ?"
        else:
            query = (
                "SELECT item_hash, item_pk, item_sk, found.hash, found.pk, found.sk, size, item FROM "
                f"(SELECT * FROM entries WHERE {condition} ORDER BY {order} LIMIT ?) AS found JOIN items "
                "ON items.owner = item_owner AND items.hash = item_hash AND items.pk = item_pk "
                f"AND items.sk = item_sk ORDER BY {', '.join('found.' + each for each in order.split(', '))}"
            )
        found, size = [], 0
        with self._lock:
            for each in self._base.execute(query, (*values, bounds.rows)):
                size += each[6]
                found.append(each)
                if size > bounds.size:
                    break
        return [Row(Place(*each[0:3]), Place(*each[3:6]), each[6], json.loads(each[7])) for each in found]

    # -- streams -------------------------------------------------------------------------------------------

    def put_stream(self, arn: str, stream: Mapping[str, Any]) -> None:
        """Write what is known of a stream."""
        with self._lock:
            self._base.execute("INSERT OR REPLACE INTO streams VALUES (?, ?)", (arn, json.dumps(stream)))

    def stream(self, arn: str) -> dict[str, Any] | None:
        """What is known of a stream."""
        with self._lock:
            found = self._base.execute("SELECT stream FROM streams WHERE arn = ?", (arn,)).fetchone()
        return json.loads(found[0]) if found else None

    def streams(self) -> list[dict[str, Any]]:
        """What is known of each stream."""
        with self._lock:
            found = self._base.execute("SELECT stream FROM streams").fetchall()
        return [json.loads(text) for (text,) in found]

    def put_change(self, arn: str, number: int, record: Mapping[str, Any]) -> None:
        """Write a stream's next record."""
        with self._lock:
            self._base.execute(
                "INSERT INTO changes VALUES (?, ?, ?, ?)", (arn, number, time.time(), json.dumps(record))
            )

    def changes(self, arn: str, behind: int, most: int) -> list[tuple[int, dict[str, Any]]]:
        """Numbers and records of a stream, behind a number, in order."""
        query = "SELECT number, record FROM changes WHERE arn = ? AND number > ? ORDER BY number LIMIT ?"
        with self._lock:
            found = self._base.execute(query, (arn, behind, most)).fetchall()
        return [(number, json.loads(text)) for number, text in found]

    def drop_changes(self, before: float) -> None:
        """Forget the records that were written before a time."""
        with self._lock:
            self._base.execute("DELETE FROM changes WHERE at < ?", (before,))

    # -- facts ---------------------------------------------------------------------------------------------

    def current_number(self) -> int:
        """The newest number that was given out."""
        with self._lock:
            found = self._base.execute("SELECT value FROM facts WHERE name = 'number'").fetchone()
        return int(found[0]) if found else 0

    def next_number(self) -> int:
        """A number that nothing has had yet, larger than all before."""
        with self.transaction():
            number = self.current_number() + 1
            self._base.execute("INSERT OR REPLACE INTO facts VALUES ('number', ?)", (str(number),))
        return number


@dataclass(frozen=True)
class Source:
    """What is read: a table, or one of its indexes, by its number."""

    owner: int
    is_table: bool = True


@dataclass(frozen=True)
class Position:
    """Where a page ended: the row's place in what was read, and the item's own."""

    entry: Place
    place: Place

    def values(self, source: Source) -> list[Any]:
        """The columns that order what is read."""
        own = [self.entry.hash, self.entry.partition, self.entry.sort]
        if source.is_table:
            return own
        return [*own, self.place.hash, self.place.partition, self.place.sort]
