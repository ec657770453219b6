"""Many gradings at once, behind concurrent.futures: what is to be done, who does it, and how it comes back.

What belongs here: the work and its outcome as records that travel, executors, how many at once. What does not: which
hand-ins there are (handins), where verdicts go (ledger).

Judging processes are forked from one warm parent that all gradings share; a thread of ours waits for each. Nothing
new begins while the machine has little memory left.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.base.errors import LabError
from labkit.classroom.ledger import Key
from labkit.grading.grade import Request, grade
from labkit.grading.model import Result
from labkit.grading.process.starting import Warm, warm_parent

#: MB that a grading takes at most, besides what all share (docs/speed.md)
GRADING_MB = 450
#: gradings wait more than they work: so many for each core
_FOR_EACH_CORE = 4
_BREATH = 0.5


@dataclass(frozen=True)
class Work:
    """One grading to be done. `request` says all of it; `lines` are those to be judged again, () for all."""

    key: Key
    label: str
    request: Request
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """What became of it: a result, or why there is none (`again`: trying again may help)."""

    work: Work
    result: Result | None = None
    error: str = ""
    again: bool = True
    seconds: float = field(default=0.0, compare=False)


#: grades one request; raises LabError
Grade = Callable[[Request], Result]
#: begins one piece of work, wherever it is done
Submit = Callable[[Work], "Future[Done]"]


def at_once(cores: int | None = None, free_mb: int | None = None) -> int:
    """How many gradings this machine bears, by cores and free memory: one at least."""
    free = memory_free() if free_mb is None else free_mb
    return max(1, min(_FOR_EACH_CORE * (cores or os.cpu_count() or 1), free // GRADING_MB))


def memory_free() -> int:
    """MB that the machine can give without swapping; a guess of 2048 where it does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return 2048


@contextlib.contextmanager
def embedded(count: int, free: Callable[[], int] = memory_free) -> Iterator[Submit]:
    """Threads of this process, whose gradings share a warm parent."""
    with warm_parent() as warm:
        grade_one = _patient(_with(warm), free)
        pool = ThreadPoolExecutor(count, thread_name_prefix="grading")
        try:
            yield lambda work: pool.submit(one, work, grade_one)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _with(warm: Warm | None) -> Grade:
    return lambda request: grade(request, warm=warm)


def _patient(grade_one: Grade, free: Callable[[], int]) -> Grade:
    """As `grade_one`, but nothing begins beside others while there is not enough memory for one more."""
    lock, running = threading.Lock(), [0]

    def waits(request: Request) -> Result:
        while True:
            with lock:
                if not running[0] or free() >= GRADING_MB:
                    running[0] += 1
                    break
            time.sleep(_BREATH)
        try:
            return grade_one(request)
        finally:
            with lock:
                running[0] -= 1

    return waits


def run(works: Iterable[Work], submit: Submit, ahead: int) -> Iterator[Done]:
    """Do all of it, `ahead` at once; outcomes come as they are there.

    Work is taken from `works` only when there is room for it, so who produces it can still leave out what somebody else
    has done by then. A grading that breaks, or whose worker is lost for good, is an outcome.
    """
    waiting: dict[Future[Done], Work] = {}
    source = iter(works)
    while True:
        while len(waiting) < ahead and (work := next(source, None)) is not None:
            waiting[submit(work)] = work
        if not waiting:
            return
        ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in ended:
            work = waiting.pop(future)
            yield _outcome(future, work)


def _outcome(future: "Future[Done]", work: Work) -> Done:
    try:
        return replace(future.result(), work=work)
    except CancelledError:
        return Done(work, None, "whoever was at it has let go of it")
    except Exception as error:  # the worker's end, whatever became of it
        return Done(work, None, f"{type(error).__name__}: {error}")


def one(work: Work, grade_one: Grade) -> Done:
    """Do one piece of work; its trouble is an outcome."""
    began = time.monotonic()
    try:
        result = grade_one(work.request)
    except LabError as error:
        return Done(
            work, None, error.message, again=error.exit_status not in (2, 3), seconds=time.monotonic() - began
        )
    except Exception as error:  # ours, whatever it is: this one was not judged, and the others go on
        return Done(work, None, f"{type(error).__name__}: {error}", seconds=time.monotonic() - began)
    return Done(work, result, seconds=time.monotonic() - began)
