"""A class at a glance: figures, reasons grouped by the machine's text, one page without scripts."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from labkit.classroom import marks, overview, overview_page, rules
from labkit.classroom.handins import HandIn
from labkit.classroom.marks import Facts
from labkit.classroom.roster import Person
from labkit.classroom.standing import Standing
from labkit.grading.model import Verdict
from tests.unit.classroom.rosters import COURSE, LAB, result

PLAIN = rules.of_course(COURSE, LAB)
EVIL = "<script>alert(1)</script>"


def standing(
    name: str, lost: dict[str, float], reasons: dict[str, str] | None = None, hints: int = 0
) -> Standing:
    judged = result(name, lost=lost)
    for line, reason in (reasons or {}).items():
        judged = judged.with_line(line, Verdict("failed", 0, reason))
    facts = Facts(hints=hints)
    counted = marks.counted(judged, PLAIN)
    handin = HandIn(Path("x"), f"{name}.zip", name, name)
    return Standing(
        Person(name, f"{EVIL} {name}"),
        marks.give(judged, PLAIN, facts),
        handin,
        counted,
        {"stuck": "04"},
        facts,
    )


def some() -> overview.Overview:
    people = [
        standing("a@u", {}, {"door-open": "needed tcp 5417, found tcp 5000"}, hints=4),
        standing("b@u", {}, {"door-open": "needed tcp 5018, found tcp 5000"}, hints=2),
        standing("c@u", {}, {"door-open": f"something else {EVIL}"}),
        standing("d@u", {}),
        Standing(Person("e@u", "E"), marks.give(None, PLAIN)),
    ]
    return overview.of_class(people, [HandIn(Path("y"), f"y{EVIL}.zip", trouble="It is damaged.")], PLAIN)


def test_reasons_are_grouped_without_what_differs_between_students() -> None:
    line = next(line for line in some().lines if line.id == "door-open")
    assert (line.judged, line.rate) == (4, 0.25)
    assert [reason.count for reason in line.reasons] == [2, 1]
    assert line.reasons[0].text == "needed tcp …, found tcp …"
    assert line.reasons[0].example == "a@u"


def test_marks_states_and_who_needs_somebody_are_counted() -> None:
    view = some()
    assert view.states == {"graded": 4, "missing": 1}
    assert view.bins == (0,) * 9 + (4,)
    assert view.needs == ((f"y{EVIL}.zip", "It is damaged."),)
    assert view.stuck == {"04": 4}


def test_hints_stand_beside_the_gap_in_which_points_are_lost() -> None:
    gap = next(gap for gap in some().gaps if gap.name == "server-door")
    assert (gap.losing, gap.hints_losing, gap.hints_others) == (3, 2, 0)


def test_who_is_far_from_the_others_is_said() -> None:
    people = [standing(f"{n}@u", {"door-open": n / 20}) for n in range(10)]
    far = standing("far@u", dict.fromkeys(PLAIN.points, 0.0))
    assert [row.id for row in overview.of_class([*people, far], [], PLAIN).rows if row.outlier] == ["far@u"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [
            value for name, value in attrs if name in ("src", "href") and value and not value.startswith("#")
        ]


def test_the_page_runs_nothing_loads_nothing_and_has_heads_for_every_table() -> None:
    text = overview_page.render(some(), f"Cloud {EVIL}")
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.outside == []
    assert page.tags.count("table") == page.tags.count("caption") > 2
    assert page.tags.count("details") == 3
    assert "alert(1)" in text  # escaped, and there


def test_an_empty_class_has_a_page() -> None:
    assert "0 people" in overview_page.render(overview.of_class([], [], replace(PLAIN, name="x")), "t")
