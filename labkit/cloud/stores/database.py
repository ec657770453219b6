"""A store's SQLite base: the connection, one transaction at a time, the shortest ways to ask.

What belongs here: what every store's storage needs of SQLite. What does not: any table of theirs.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def check(path: Path) -> None:
    """Raise sqlite3.DatabaseError for a file that is there and is no base."""
    if path.exists():
        with contextlib.closing(sqlite3.connect(path)) as base:
            base.execute("SELECT count(*) FROM sqlite_master").fetchone()


class Database:
    """A base in a file or in memory. For any thread; `transaction()` is for one at a time.

    What a transaction has written is in the file when it ends: a killed process loses nothing that it acknowledged.
    """

    def __init__(self, path: Path | None, schema: str) -> None:
        """`path` is the file, made where it is missing; None keeps everything in memory. `schema` makes what is missing."""
        self._lock = threading.RLock()
        self._base = sqlite3.connect(
            str(path) if path else ":memory:",
            check_same_thread=False,
            isolation_level=None,
            cached_statements=256,
        )
        # one process has the file, so the log's index needs no shared memory, which not every disk can give
        self._base.executescript(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            "PRAGMA temp_store=MEMORY;"
        )
        self._base.executescript(schema)
        self._depth = 0

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside, or nothing of it; others wait."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._base.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                if self._depth == 1:
                    self._base.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._base.execute("COMMIT")
            finally:
                self._depth -= 1

    def _run(self, text: str, *values: Any) -> None:
        with self._lock:
            self._base.execute(text, values)

    def _one(self, text: str, *values: Any) -> Any:
        with self._lock:
            return self._base.execute(text, values).fetchone()

    def _all(self, text: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._base.execute(text, values).fetchall()
