"""Grading a class: what is still to be done, doing it, and adding each verdict to the ledger as it comes.

What belongs here: the plan, and carrying it out. What does not: how gradings run (engine), what they are worth (marks).
"""

import contextlib
import hashlib
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import labkit
from labkit.base.errors import StateError
from labkit.base.events import Emit, Event
from labkit.classroom import engine
from labkit.classroom.engine import Done, Work
from labkit.classroom.handins import HandIn
from labkit.classroom.ledger import Key, Ledger, Verdicts
from labkit.course.rubric import Rubric
from labkit.grading.grade import SELF_CHECK_KEY, Request, rubric_hash, seed_of

#: a grading that nobody has heard of for so long is given up by others
_UNDERWAY_SECONDS = 1800.0
LOOK = "self-check"


@dataclass(frozen=True)
class Wanted:
    """What is asked for. key: the grader key. again: lines to judge again. newer_kit: also what an older kit has judged."""

    root: Path
    rubric: Rubric
    course: str
    key: bytes = SELF_CHECK_KEY
    again: tuple[str, ...] = ()
    newer_kit: bool = False
    kit: str = labkit.__version__

    @property
    def key_id(self) -> str:
        """Which grader key it is, without telling it."""
        return LOOK if self.key == SELF_CHECK_KEY else hashlib.sha256(b"id of " + self.key).hexdigest()[:12]


@dataclass(frozen=True)
class Plan:
    """What is to be done, what is done already (`older`: by another version of the kit), and who needs a person first."""

    works: tuple[Work, ...]
    done: tuple[HandIn, ...] = ()
    older: tuple[HandIn, ...] = ()
    needs: tuple[HandIn, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run came to: judged in full, not judged (with the reason), being graded by somebody else."""

    judged: tuple[Work, ...] = ()
    failed: tuple[Done, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    minutes: float = 0.0


def plan(found: Sequence[HandIn], ledger: Ledger, wanted: Wanted) -> Plan:
    """Of the hand-ins those that no verdict in the ledger is about, under the same key."""
    works, done, older = [], [], []
    for each in found:
        if not each.is_ready:
            continue
        rows = [row for row in ledger.verdicts(each.sha256) if _is_about(row, each, wanted)]
        same_kit = any(row.key.kit == wanted.kit for row in rows)
        if rows and wanted.again:
            works.append(_work(each, wanted, wanted.again))
        elif same_kit or (rows and not wanted.newer_kit):
            done.append(each)
            older += [] if same_kit else [each]
        else:
            works.append(_work(each, wanted, ()))
    return Plan(tuple(works), tuple(done), tuple(older), tuple(each for each in found if not each.is_ready))


def _is_about(row: Verdicts, handin: HandIn, wanted: Wanted) -> bool:
    """Whether this verdict, of whatever kit, answers what is asked: all lines, judged. A mark answers for a look, too."""
    key = row.key
    same = (key.student, key.engine, key.rubric, key.course) == (
        handin.student,
        handin.engine,
        rubric_hash(wanted.rubric),
        wanted.course,
    )
    keyed = key.key == wanted.key_id or (wanted.key_id == LOOK and key.key != LOOK)
    return same and keyed and row.final and not row.lines


def _work(handin: HandIn, wanted: Wanted, lines: tuple[str, ...]) -> Work:
    key = Key(
        handin.sha256,
        handin.student,
        handin.engine,
        wanted.kit,
        rubric_hash(wanted.rubric),
        wanted.course,
        wanted.key_id,
    )
    request = Request(
        root=wanted.root, student=handin.student, source=handin.source, engine=handin.engine, how="pack", only=lines,
        key=wanted.key, seed=seed_of(wanted.key, handin.sha256),
    )  # fmt: skip
    return Work(key, handin.label, request, lines)


def carry_out(
    the_plan: Plan,
    ledger: Ledger,
    submit: engine.Submit,
    ahead: int,
    emit: Emit,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Grade what is to be graded; each verdict is in the ledger before the next is waited for.

    Raises StateError where the ledger takes no more: what it has is kept, and nothing new begins.
    """
    elsewhere: dict[str, str] = {}
    judged: list[Work] = []
    failed: list[Done] = []
    taken: dict[str, Work] = {}
    began, total = clock(), len(the_plan.works)
    try:
        for done in engine.run(_free(the_plan.works, ledger, elsewhere, taken), submit, ahead):
            judged_in_full = _keep(done, ledger)
            del taken[done.work.key.text()]
            if judged_in_full:
                judged.append(done.work)
            else:
                failed.append(done)
            ended = len(judged) + len(failed)
            emit(_progress(ended, total - len(elsewhere), (clock() - began) / 60))
    except BaseException:
        _let_go(taken.values(), ledger)
        raise
    return Outcome(tuple(judged), tuple(failed), elsewhere, (clock() - began) / 60)


def _keep(done: Done, ledger: Ledger) -> bool:
    """Add what came of it to the ledger; whether it was judged in full."""
    result = done.result
    if result is None or result.about.get("submission", done.work.key.sha256) != done.work.key.sha256:
        ledger.let_go(done.work.key)
        return False
    ledger.add(done.work.key, result, done.work.lines)
    return _is_judged(done)


def _let_go(taken: Iterable[Work], ledger: Ledger) -> None:
    """Stopped by hand, or by a ledger that takes no more: others need not wait for what was under way."""
    with contextlib.suppress(StateError):  # then they find that this process has ended
        for work in taken:
            ledger.let_go(work.key)


def _is_judged(done: Done) -> bool:
    result = done.result
    return (
        result is not None
        and result.complete
        and not any(
            line.verdict.outcome == "not judged" and (not done.work.lines or line.id in done.work.lines)
            for line in result.lines
        )
    )


def _progress(ended: int, total: int, minutes: float) -> Event:
    rate = ended / minutes if minutes else 0.0
    left = f", {(total - ended) / rate:.0f} min left" if rate and ended < total else ""
    return Event(
        "progress", f"{rate:.1f} a minute{left}", {"done": ended, "total": total, "a_minute": round(rate, 2)}
    )


def _free(
    works: Sequence[Work], ledger: Ledger, elsewhere: dict[str, str], taken: dict[str, Work]
) -> Iterator[Work]:
    """The works that nobody else is at; taken one by one, so that two instructors share them."""
    who = f"{platform.node()}:{os.getpid()}:{_began(os.getpid())}:{secrets.token_hex(4)}"
    for work in works:
        alive = {name: _is_alive(name) for name in ledger.at_it()}
        if other := ledger.take(work.key, who, alive, _UNDERWAY_SECONDS):
            elsewhere[work.label] = other
        elif work.lines or not _was_done(work, ledger):
            taken[work.key.text()] = work
            yield work
        else:
            ledger.let_go(work.key)
            elsewhere[work.label] = "somebody else, who has ended it"


def _was_done(work: Work, ledger: Ledger) -> bool:
    """Whether another instructor has judged it since the plan was made."""
    return any(
        row.key == work.key and row.final and not row.lines for row in ledger.verdicts(work.key.sha256)
    )


def _is_alive(who: str) -> bool:
    """Whether that process still lives, if it is one of this machine; of others nobody knows."""
    host, pid, began, _ = who.rsplit(":", 3)
    return host != platform.node() or _began(int(pid)) == began


def _began(pid: int) -> str:
    """What tells a process from a later one of the same number; "" of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
