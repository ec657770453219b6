"""Writes the control plane down, a moment after each change, in a thread of its own.

What belongs here: when. What does not: what (labkit.cloud.moto_seam.saving, saved_logs) and where (keeping).
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from labkit.base.errors import StateError
from labkit.cloud.moto_seam import saving
from labkit.cloud.moto_seam.saved_logs import SavedLogs
from labkit.cloud.server.keeping import Kept, Writer

#: seconds between a change and its writing, in which others come along
PAUSE = 0.3
#: a thread that writes all the time may take this part of one core
_SHARE = 0.1
#: seconds after which an acknowledged change is on disk, unless one save alone takes that long
WINDOW = 1.0


class Keeper:
    """Keeps what is on disk no older than WINDOW. Whoever changes something says so by `wake`, from any thread.

    `others` tells what parts outside moto are to have again, by their names.
    """

    def __init__(
        self,
        kept: Kept,
        logs: SavedLogs,
        report: Callable[[str], None],
        others: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._others = others
        self._folder, self._logs, self._writer, self._report = kept.folder, logs, Writer(kept), report
        self._news = threading.Condition()
        self._asked = self._done = 0
        self._urgent = self._closing = False
        #: why the last save failed, "" where it did not
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something changed: it will be on disk soon."""
        with self._news:
            self._asked += 1
            self._news.notify_all()

    def flush(self) -> None:
        """Have it written at once, and wait for that: what changed before this call is on disk, if it can be."""
        with self._news:
            self._asked += 1
            self._urgent, wanted = True, self._asked
            self._news.notify_all()
            self._news.wait_for(lambda: self._done >= wanted or self._closing)

    def close(self) -> None:
        """Write a last time, and end the thread."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._thread.join()
        self._logs.close()

    def _run(self) -> None:
        pause, last = PAUSE, False
        while not last:
            asked, last = self._next(pause)
            began = time.thread_time()
            self._try()
            pause = min(max(PAUSE, (time.thread_time() - began) / _SHARE), WINDOW)
            with self._news:
                self._done = asked
                self._news.notify_all()

    def _next(self, pause: float) -> tuple[int, bool]:
        """Wait until something is to be written; what has been asked for by then, and whether it is the last time."""
        with self._news:
            self._news.wait_for(lambda: self._asked > self._done or self._closing)
            self._news.wait_for(lambda: self._urgent or self._closing, pause)
            self._urgent = False
            return self._asked, self._closing

    def _try(self) -> None:
        """One save. What keeps it from being written is told once; the next change tries again."""
        try:
            self._save()
            self.trouble = ""
        except Exception as error:  # the thread must go on: what is on disk stays as it was
            text = error.message if isinstance(error, StateError) else f"{type(error).__name__}: {error}"
            if text != self.trouble:
                self._report(f"The cloud's state could not be kept, the last one stays: {text}")
            self.trouble = text

    def _save(self) -> None:
        """Events before the graph that names their streams: one without the other is a graph without an event."""
        if not self._folder.exists():  # it was deleted: nobody wants it back
            return
        at = time.time()
        written = saving.write(self._logs.collect, self._others)
        self._logs.write()
        self._writer.write(written, at)
