"""Work on the resources of one stack side by side, each after those it needs.

What belongs here: which resource's turn it is, how many are worked on at once, and cancelling the rest after a failure.
What does not: what the work is (operations, update), events (work).
AWS: CloudFormation user guide, "Choose how to handle failures when provisioning resources": what does not depend on one
another is made in parallel. After a failure what is still under way is cancelled; where what was made is to be preserved,
every other path goes on to its end.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from labkit.aws.templates.errors import ResourceFailed

#: how many are worked on at once; those that only wait for something are not counted
WIDTH = 6


class Cancelled(ResourceFailed):
    """Another resource of the stack failed: this one is given up where it waits."""


class _Run:
    """One walk over resources."""

    def __init__(self, *, go_on: bool) -> None:
        self.go_on = go_on
        self.places = threading.BoundedSemaphore(WIDTH)
        self.cancelled = threading.Event()
        self.over: queue.SimpleQueue[tuple[str, BaseException | None]] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.busy = 0  # resources under way
        self.refused = 0  # those of them that wait for another one, to be asked for again


class Lanes:
    """The lanes of one stack operation. `side_by_side` is for its own thread, the rest for any."""

    def __init__(self) -> None:
        self._mine = threading.local()

    def side_by_side(
        self, needs: Mapping[str, Iterable[str]], act: Callable[[str], None], *, go_on: bool = False
    ) -> None:
        """Call `act` with each key of `needs`, in a thread of its own, once it is done with those that the key needs.

        After a failure nothing more is begun, and what waits may ask to be cancelled (`checkpoint`); to `go_on` is to
        leave out only what needs the failed one. Returns, or raises, when every thread has ended: ResourceFailed with the
        names that failed, in the order of `needs`; any other error as it was. Of a cycle nothing is begun.
        """
        waiting = {name: {need for need in wants if need in needs} for name, wants in needs.items()}
        run, failures = _Run(go_on=go_on), dict[str, BaseException]()
        self._begin_ready(run, waiting, act)
        while run.busy:
            ended, error = run.over.get()
            if error is not None:
                failures[ended] = error
            for wants in waiting.values() if error is None else ():
                wants.discard(ended)
            if not run.cancelled.is_set():
                self._begin_ready(run, waiting, act)
            with run.lock:  # after the next ones began: nobody may believe that nothing is under way
                run.busy -= 1
        _raise(failures, list(needs))

    def _begin_ready(self, run: _Run, waiting: dict[str, set[str]], act: Callable[[str], None]) -> None:
        for name in [name for name, wants in waiting.items() if not wants]:
            del waiting[name]
            with run.lock:
                run.busy += 1
            thread = threading.Thread(
                target=self._work,
                args=(run, name, act),
                name=f"{threading.current_thread().name}-{name}",
                daemon=True,
            )
            thread.start()

    def _work(self, run: _Run, name: str, act: Callable[[str], None]) -> None:
        self._mine.run = run
        error: BaseException | None = None
        try:
            with run.places:
                if not run.cancelled.is_set():
                    act(name)
        except BaseException as failure:  # the thread's edge: side_by_side raises it again
            error = failure
            if not run.go_on or not isinstance(failure, ResourceFailed):
                run.cancelled.set()
        run.over.put((name, error))

    def _run(self) -> _Run | None:
        return getattr(self._mine, "run", None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While this block runs the thread only waits, and another resource has its place."""
        run = self._run()
        if run is None:
            yield
            return
        run.places.release()
        try:
            yield
        finally:
            run.places.acquire()

    @contextmanager
    def refused(self) -> Iterator[None]:
        """While this block runs the thread waits for what another resource's making may change."""
        run = self._run()
        if run is None:
            yield
            return
        with run.lock:
            run.refused += 1
        try:
            yield
        finally:
            with run.lock:
                run.refused -= 1

    def checkpoint(self) -> None:
        """Raise Cancelled where another resource of the walk has failed."""
        run = self._run()
        if run is not None and run.cancelled.is_set():
            raise Cancelled("Resource creation cancelled")

    @property
    def has_begun(self) -> bool:
        """Whether this thread works on a resource, maybe beside others."""
        return self._run() is not None

    def others_work(self) -> bool:
        """Inside of `refused`: whether other resources are under way that are not refused themselves."""
        run = self._run()
        if run is None:
            return False
        with run.lock:
            return run.busy > run.refused


def _raise(failures: Mapping[str, BaseException], order: list[str]) -> None:
    """Raise what `failures` come to: an end of the whole operation before a failure of resources."""
    for error in failures.values():
        if not isinstance(error, ResourceFailed):
            raise error
    if failures:
        failed = [name for name in order if name in failures]
        raise ResourceFailed(", ".join(failed)) from failures[failed[0]]
