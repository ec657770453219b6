"""The events of CloudWatch Logs in a file of their own: they only grow, so each is written once.

What belongs here: which events are new, and giving them back to moto's streams. What does not: groups and streams
themselves, which are in the graph (saving).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.cloud.moto_seam.backends import in_use
from labkit.cloud.stores.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (stream INTEGER, number INTEGER, at INTEGER, taken INTEGER, id INTEGER, message TEXT,
  PRIMARY KEY (stream, number)) WITHOUT ROWID;
"""
#: what we call a stream, kept beside moto's own attributes
_NUMBER = "saved_as"


class SavedLogs(Database):
    """All events in a file. For one thread."""

    def __init__(self, path: Path) -> None:
        """`path` is made where it is missing."""
        super().__init__(path, _SCHEMA)
        (self._last,) = self._one("SELECT coalesce(max(stream), 0) FROM events")
        self._saved: dict[int, int] = dict(self._all("SELECT stream, count(*) FROM events GROUP BY stream"))
        self._new: list[tuple[int, int, list[Any]]] = []
        self._living: set[int] = set()

    def collect(self) -> None:
        """Note what is new since the last time; quick, and changes no file."""
        self._new, self._living = [], set()
        for stream in _streams():
            number = self._number_of(stream)
            self._living.add(number)
            saved = self._saved.get(number, 0)
            if len(stream.events) > saved:
                self._new.append((number, saved, stream.events[saved:]))

    def write(self) -> None:
        """Write what was collected, and forget the events of streams that are gone."""
        with self.transaction():
            for number, saved, events in self._new:
                rows = [
                    (number, saved + place, each.timestamp, each.ingestion_time, each.event_id, each.message)
                    for place, each in enumerate(events)
                ]
                self._base.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
            for gone in self._saved.keys() - self._living:
                self._run("DELETE FROM events WHERE stream = ?", gone)
        self._saved = {number: saved for number, saved in self._saved.items() if number in self._living}
        self._saved |= {number: saved + len(events) for number, saved, events in self._new}
        self._new = []

    def give_back(self) -> None:
        """Fill moto's streams, which are back without their events."""
        from moto.logs.models import LogEvent

        for stream in _streams():
            rows = self._all(
                "SELECT at, taken, id, message FROM events WHERE stream = ? ORDER BY number",
                self._number_of(stream),
            )
            stream.events = [_event(*row) for row in rows]
            if rows:  # the graph may be a moment older than the events
                stream.stored_bytes = sum(len(row[3]) for row in rows)
                taken = max(row[1] for row in rows) / 1000
                stream.last_ingestion_time = datetime.fromtimestamp(taken, UTC).replace(tzinfo=None)
        (last,) = self._one("SELECT coalesce(max(id), -1) FROM events")
        LogEvent._event_id = max(LogEvent._event_id, last + 1)

    def _number_of(self, stream: Any) -> int:
        number: int | None = getattr(stream, _NUMBER, None)
        if number is None:
            self._last += 1
            number = self._last
            setattr(stream, _NUMBER, number)
        self._last = max(self._last, number)
        return number


def _streams() -> Iterator[Any]:
    for _, logs in in_use("logs"):
        for group in list(logs.groups.values()):
            yield from list(group.streams.values())


def _event(at: int, taken: int, event_id: int, message: str) -> Any:
    from moto.logs.models import LogEvent

    event = object.__new__(LogEvent)
    event.timestamp, event.ingestion_time, event.event_id, event.message = at, taken, event_id, message
    return event
