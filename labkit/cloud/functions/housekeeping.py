"""What need not be done before an invocation is answered: one thread does it, in order.

What belongs here: the thread, its queue and its one timer. What does not: what the tasks do.
"""

import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]


class Housekeeper:
    """Runs tasks one after the other, and `tick` when the time it last asked for has come.

    `tick` gives the seconds until it wants to run again, or None for "after the next task". A task that
    raises is handed to `failed`; the thread goes on.
    """

    def __init__(self, tick: Callable[[], float | None], failed: Callable[[BaseException], None]) -> None:
        self._tick, self._failed = tick, failed
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="functions-housekeeping", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Run `task` soon; at once, here, when the thread has ended."""
        if self._thread.is_alive():
            self._tasks.put(task)
        else:
            self._try(task)

    def flush(self) -> None:
        """Wait until everything submitted so far has run."""
        done = threading.Event()
        self.submit(done.set)
        done.wait()

    def close(self) -> None:
        """Run what was submitted, then end the thread."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        seconds: float | None = None
        while True:
            try:
                task = self._tasks.get(timeout=seconds)
            except queue.Empty:
                task = _nothing
            if task is None:
                return
            self._try(task)
            seconds = self._next()

    def _next(self) -> float | None:
        try:
            return self._tick()
        except Exception as error:
            self._failed(error)
            return None

    def _try(self, task: Task) -> None:
        try:
            task()
        except Exception as error:
            self._failed(error)


def _nothing() -> None:
    """What is done when only the timer has come."""
