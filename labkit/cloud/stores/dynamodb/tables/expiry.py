"""Time to live: items whose time has come are deleted, now and then, as on AWS, where it takes up to a few days.

What belongs here: finding and deleting them. What does not: the setting (settings).

AWS: developer guide, "Using time to live (TTL)": a number of seconds since 1970, and not more than five years ago.
"""

import threading
import time
from decimal import Decimal

from labkit.cloud.stores.dynamodb.capacity import Usage
from labkit.cloud.stores.dynamodb.items import Write, carry_out
from labkit.cloud.stores.dynamodb.storage import Bounds, Position, Row, Segment, Storage
from labkit.cloud.stores.dynamodb.tables.control import Tables
from labkit.cloud.stores.dynamodb.tables.schema import Table
from labkit.cloud.stores.dynamodb.values import Item

#: seconds from one look to the next, and how old a time may be at most
EVERY = 30.0
_OLDEST = 5 * 365 * 24 * 3600
_AT_ONCE = 400


class Expiry:
    """Looks through tables that have a time to live, at most once in `EVERY` seconds, on somebody's request."""

    def __init__(self, storage: Storage, tables: Tables) -> None:
        self._storage = storage
        self._tables = tables
        self._next = time.monotonic() + EVERY
        self._lock = threading.Lock()

    def run(self) -> None:
        """Delete what has expired, when it is time to look again."""
        if time.monotonic() < self._next or not self._lock.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + EVERY
            for table in self._tables.all():
                if table.settings.get("ttl"):
                    self.sweep(table, time.time())
        finally:
            self._lock.release()

    def sweep(self, table: Table, now: float) -> None:
        """Delete what has expired in one table."""
        behind: Position | None = None
        while rows := self._storage.read_segment(table.source, Segment(), behind, Bounds(_AT_ONCE, 1 << 24)):
            for row in rows:
                self._delete(table, row, now)
            behind = Position(rows[-1].place, rows[-1].place)

    def _delete(self, table: Table, row: Row, now: float) -> None:
        def is_over(item: Item) -> bool:
            value = item.get(table.settings["ttl"], {}).get("N")
            return value is not None and now - _OLDEST < Decimal(value) < now

        if is_over(row.item):
            with self._storage.transaction():
                if is_over(self._storage.get(table.number, row.place)[0]):
                    carry_out(
                        self._storage,
                        Write(table, table.key.key_of(row.item), row.place, None, expired=True),
                        Usage({}),
                    )
