"""pytest's part of a judging: collects the checks of the rubric, two attempts each, and reports every verdict.

What belongs here: files to items, items to attempts, the order of both. What does not: judging (session), who
listens to the reports (judge).

A check is one function in one file, named by the rubric; nothing else is collected, from nowhere else. pytest is
started by labkit.grading.process.judge without plug-ins, conftest files or settings of anybody else.
"""

import importlib.util
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from labkit.course.rubric import Line
from labkit.grading.api import Lab
from labkit.grading.judging.session import ALONE, SUBMITTED, Check, Session
from labkit.grading.model import Verdict

#: (kind "begin" | "verdict" | "missing", values)
Report = Callable[[str, Mapping[str, Any]], None]


class CheckFile(pytest.File):
    """The file of one line's check."""

    def collect(self) -> Iterable[pytest.Item]:
        """Its attempts, as submitted before alone."""
        plugin: GradingPlugin = self.config.pluginmanager.get_plugin(NAME)  # type: ignore[assignment]
        line = plugin.lines[self.path.name]
        check, why = load(self.path)
        for way in plugin.session.ways(line):
            yield Attempt.from_parent(self, name=f"{line.id} {way}", line=line, way=way, check=check, why=why)


class Attempt(pytest.Item):
    """One line, tried in one way."""

    def __init__(self, *, line: Line, way: str, check: Check, why: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.line, self.way, self.check, self.why = line, way, check, why

    def runtest(self) -> None:
        """Judge and report; a failed line is a result here, not a failure of the test run."""
        plugin: GradingPlugin = self.config.pluginmanager.get_plugin(NAME)  # type: ignore[assignment]
        plugin.attempt(self)

    def says(self, word: str) -> bool:
        """Whether the check's module says so of it: SLOW."""
        return bool(getattr(self.check, "__globals__", {}).get(word))


NAME = "labkit-grading"


class GradingPlugin:
    """Joins pytest to one session; `report` is told when an attempt begins and what came of it.

    `files` are the checks of `lines`: nothing else beside them is collected.
    """

    def __init__(
        self, session: Session, lines: Sequence[Line], files: Sequence[Path], report: Report
    ) -> None:
        self.session, self.report, self._files = session, report, frozenset(each.resolve() for each in files)
        self.lines = {line.module: line for line in lines}
        self._slow: list[Attempt] = []
        self._ahead: dict[str, Future[tuple[Verdict, float]]] = {}
        given_up = session.task.given_up
        self._foundations = [
            (line, path)
            for line in session.rubric.foundations
            if line.id not in given_up and (path := found(session.task.checks, line))
        ]
        self._settled: dict[str, tuple[Verdict, float]] = {}
        self._order = {line.id: number for number, line in enumerate(in_order(session))}

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CheckFile | None:
        """Only files of lines that are to be judged."""
        if file_path.resolve() not in self._files:
            return None
        return CheckFile.from_parent(parent, path=file_path)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """All attempts as submitted first; then those alone, with those of the same mixture side by side."""
        attempts = sorted((item for item in items if isinstance(item, Attempt)), key=self._place)
        items[:] = attempts
        self._slow = [each for each in attempts if each.way == SUBMITTED and each.says("SLOW")]

    def _place(self, attempt: Attempt) -> tuple[bool, tuple[str, ...], bool, bool, bool, int]:
        """Checks that may leave a wrong system without its service come after the others on it.

        Hidden lines come after those of which all is told: what a program says later may hold what they asked.
        """
        line, alone = attempt.line, attempt.way == ALONE
        late = line.comes_after_hidden
        return alone, line.alone if alone else (), line.ends, late, line.hidden, self._order[line.id]

    def attempt(self, attempt: Attempt) -> None:
        """Try the line in this way, unless there is no need to any more."""
        line = attempt.line
        if attempt.way == ALONE and not self.session.wants_alone(line):
            return
        self.report("begin", {"line": line.id, "way": attempt.way})
        if attempt.way == SUBMITTED:
            self._settle(attempt)
        if attempt in self._slow and not self._ahead:
            self._begin_all_slow()
        verdict, seconds = self._verdict(attempt)
        self.report("verdict", _told(line, attempt.why, verdict, seconds))

    def _settle(self, attempt: Attempt) -> None:
        """Judge first what this attempt, and every other as submitted, stands on."""
        while self._foundations:
            line, path = self._foundations.pop(0)
            self.report("begin", {"line": line.id, "way": SUBMITTED})
            started = time.monotonic()
            verdict = self.session.as_submitted(line, load(path)[0])
            self._settled[line.id] = verdict, time.monotonic() - started
            self.report("begin", {"line": attempt.line.id, "way": attempt.way})

    def _verdict(self, attempt: Attempt) -> tuple[Verdict, float]:
        if attempt.way == SUBMITTED and attempt.line.id in self._settled:
            return self._settled[attempt.line.id]
        return self._ahead[attempt.line.id].result() if attempt in self._slow else self._judged(attempt)

    def _begin_all_slow(self) -> None:
        """Those that mostly wait, as submitted, wait side by side: they get into nobody's way but their own."""
        with ThreadPoolExecutor(max_workers=len(self._slow)) as pool:
            self._ahead = {each.line.id: pool.submit(self._judged, each) for each in self._slow}

    def _judged(self, attempt: Attempt) -> tuple[Verdict, float]:
        started = time.monotonic()
        judge = self.session.alone if attempt.way == ALONE else self.session.as_submitted
        return judge(attempt.line, attempt.check), time.monotonic() - started


def _told(line: Line, why: str, verdict: Verdict, seconds: float) -> dict[str, Any]:
    return {"line": line.id, "why": why, "seconds": round(seconds, 3), "verdict": {**vars(verdict)}}


def _load(path: Path) -> tuple[Check, str]:
    """The check in the file, and its docstring. Raises whatever importing it raises."""
    spec = importlib.util.spec_from_file_location(f"lab_checks.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Check = module.check
    return check, (check.__doc__ or "").strip()


def load(path: Path) -> tuple[Check, str]:
    """The check in the file, and its docstring; one that can't be loaded becomes one that raises: the others go on."""
    try:
        return _load(path)
    except Exception as error:
        problem = RuntimeError(f"the check can't be loaded: {type(error).__name__}: {error}")

    def raises(_: Lab) -> None:
        raise problem

    return raises, ""


def found(folders: Sequence[str], line: Line) -> Path | None:
    """The file of the line's check, in the first folder that has one."""
    return next((path for folder in folders if (path := Path(folder) / line.module).is_file()), None)


def find(folders: Sequence[str], lines: Sequence[Line]) -> tuple[list[Path], list[Line]]:
    """The files of these lines' checks, and the lines without a check."""
    files = {line.id: found(folders, line) for line in lines}
    return [file for file in files.values() if file], [line for line in lines if files[line.id] is None]


def in_order(session: Session) -> list[Line]:
    """The lines in the rubric's order, or in the one that the task draws: no verdict hangs on it."""
    lines = session.rubric.in_order()
    if session.task.order:
        random.Random(session.task.order).shuffle(lines)
    return lines
