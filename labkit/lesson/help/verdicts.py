"""What is known of the gaps: not written, written, or tried by the checks of the grade, with the points that were earned.

What belongs here: this record beside the workspace, which holds for a text only as long as it is that text. What does not:
trying (labkit.lesson.proving), judging (labkit.grading).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labkit.base import state
from labkit.course import gaps, rubric
from labkit.course.manifest import Gap
from labkit.course.rubric import Line
from labkit.grading.model import LineResult
from labkit.lesson.context import Context
from labkit.lesson.screens import engine_of

State = Literal["given", "skipped", "open", "untried", "fails", "holds"]
#: one sign for each state, the same on every screen
SIGNS: Mapping[State, str] = {
    "given": "=",
    "skipped": "#",
    "open": "·",
    "untried": "?",
    "fails": "✗",
    "holds": "✓",
}
MEANS: Mapping[State, str] = {
    "holds": "tried, and it holds",
    "fails": "tried, and it does not hold",
    "untried": "written, not tried yet",
    "open": "not written",
    "given": "given in your course",
    "skipped": "skipped: the reference stands in, without points",
}


@dataclass(frozen=True)
class Known:
    """One gap: where it stands, what is known of it, its points as far as they were tried, and of how many."""

    place: gaps.Place
    state: State
    earned: float
    points: int
    lost: tuple[str, ...] = ()

    @property
    def gap(self) -> Gap:
        """The gap."""
        return self.place.gap


class Verdicts:
    """The verdicts of one workspace, kept in its .lab/verdicts.json; one about another text than today's is none."""

    def __init__(self, context: Context) -> None:
        workspace = context.workspace
        self._context, self._path = context, workspace.path / ".lab" / "verdicts.json"
        files, starter = workspace.files(), context.workspaces.starter(workspace)
        self.places = {
            gap.name: gaps.place(gap, files, starter, engine_of(context)) for gap in context.manifest.gaps
        }
        self.lines: Sequence[Line] = rubric.load(context.places.root).lines
        self._kept: dict[str, Any] = state.read_json(self._path) or {}

    def of(self, line: Line) -> Mapping[str, Any] | None:
        """What was said of this line about the text as it is: "earned" and "reason"; None where nothing was."""
        found = self._kept.get(line.id)
        return found if found and found["text"] == self._text(line) else None

    def note(self, results: Iterable[LineResult]) -> None:
        """Remember verdicts about the text as it is; what was not judged says nothing."""
        judged = {each.id: each for each in results if each.verdict.outcome != "not judged"}
        for line in self.lines:
            if each := judged.get(line.id):
                kept = {"text": self._text(line), "earned": each.earned, "reason": each.verdict.reason[:300]}
                self._kept[line.id] = kept
        state.write_json(self._path, self._kept)

    def gaps_of(self, line: Line) -> set[str]:
        """The gaps whose text decides this line."""
        return {name for name in (line.gap, *line.alone) if name in self.places}

    def lines_of(self, gap: str) -> list[Line]:
        """The lines that are tried where one is, about this gap: its own, or where those are hidden, those it has a part in."""
        own = [line for line in self.lines if line.gap == gap and not line.hidden]
        return own or [line for line in self.lines if gap in line.alone and not line.hidden]

    def known(self, given: Sequence[str] = (), skipped: Sequence[str] = ()) -> list[Known]:
        """Every gap, in order; `given` and `skipped`: those that the student does not write."""
        unwritten: dict[str, State] = {**dict.fromkeys(given, "given"), **dict.fromkeys(skipped, "skipped")}
        return [self._known(place, unwritten) for place in self.places.values()]

    def _known(self, place: gaps.Place, unwritten: Mapping[str, State]) -> Known:
        lines = self.lines_of(place.gap.name)
        own = [line for line in lines if line.gap == place.gap.name]
        said = {line.id: self.of(line) for line in lines}
        lost = tuple(line.id for line in lines if (told := said[line.id]) and told["earned"] < line.points)
        earned = sum(float(told["earned"]) for line in own if (told := said[line.id]))
        value: State = "untried" if None in said.values() else "holds"
        if place.gap.name in unwritten:
            value, earned = unwritten[place.gap.name], 0.0
        elif not place.written:
            value = "open"
        elif lost:
            value = "fails"
        return Known(place, value, earned, sum(line.points for line in own), lost)

    def points(self) -> tuple[float, int, int]:
        """(points earned, points tried, all points) of the lines whose verdict is about the text as it is."""
        told = [(line, said) for line in self.lines if (said := self.of(line))]
        earned = sum(float(said["earned"]) for _, said in told)
        return round(earned, 2), sum(line.points for line, _ in told), sum(line.points for line in self.lines)

    def _text(self, line: Line) -> str:
        """SHA-256 of the texts that decide this line: its gaps', or where it has none all files'."""
        bodies = "\0".join(self.places[name].body for name in sorted(self.gaps_of(line)))
        whole = bodies or self._context.workspace.fingerprint()
        return hashlib.sha256(f"{engine_of(self._context)}\0{whole}".encode()).hexdigest()[:16]
