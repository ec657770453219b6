"""The mark: one sum from verdicts, rules and facts; what is missing is not 0, and every step is told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as draw
from hypothesis import strategies as some

from labkit.classroom import marks
from labkit.classroom.marks import Facts, Late, Rules, Word
from labkit.grading.model import Verdict
from tests.unit.classroom.rosters import RUBRIC, result

DUE = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)
POINTS = {line.id: line.points for line in RUBRIC.lines}
PLAIN = Rules(POINTS)
LATE = replace(PLAIN, due=DUE, grace=timedelta(minutes=30), late=Late(10, 3))


def final(rules: Rules, facts: Facts | None = None, lost: Mapping[str, float] | None = None) -> float | None:
    return marks.give(result(lost=lost), rules, facts).final


def after(**late: float) -> Facts:
    return Facts(at=DUE + timedelta(**late))


def test_all_lines_are_the_whole_mark_and_a_lost_one_costs_its_points() -> None:
    assert final(PLAIN) == 100
    assert final(PLAIN, lost={"door-open": 0}) == 97
    assert final(PLAIN, lost={"door-narrow": 1 / 3}) == 98


def test_a_mark_is_the_sum_of_the_lines_that_the_rules_name_scaled() -> None:
    """79 points that are left, worth 50; nothing else of the result counts."""
    some_lines = {
        name: points for name, points in POINTS.items() if name not in ("bad-download", "bad-request")
    }
    rules = replace(PLAIN, points=some_lines, scale=50)
    assert sum(some_lines.values()) == 92
    assert final(rules, lost={"bad-download": 0, "bad-request": 0}) == 50
    assert final(rules, lost={"door-open": 0}) == 48.37  # 89 of 92


def test_what_was_not_handed_in_or_not_judged_is_no_zero() -> None:
    missing = marks.give(None, PLAIN)
    assert (missing.state, missing.raw, missing.final) == ("missing", None, None)
    unjudged = result().with_line("door-open", Verdict(reason="our trouble"))
    mark = marks.give(unjudged, PLAIN)
    assert (mark.state, mark.final) == ("not judged", None)
    assert "1 of 42 lines" in mark.why
    assert marks.give(replace(result(), complete=False), PLAIN).final is None


def test_a_line_that_left_the_rubric_keeps_no_mark_from_being_one() -> None:
    rules = replace(PLAIN, points={n: p for n, p in POINTS.items() if n != "door-open"}, left=("door-open",))
    assert marks.give(result().with_line("door-open", Verdict()), rules).final == 100


@pytest.mark.parametrize(
    ("late", "worth", "days"),
    [
        ({"minutes": -1}, 100, 0), ({"minutes": 30}, 100, 0), ({"minutes": 31}, 90, 1), ({"days": 1}, 90, 1),
        ({"days": 1, "seconds": 1}, 80, 2), ({"days": 3}, 70, 3), ({"days": 3, "seconds": 1}, 0, 4),
    ],
)  # fmt: skip
def test_lateness_costs_per_cent_for_each_day_begun_and_ends(
    late: dict[str, float], worth: float, days: int
) -> None:
    mark = marks.give(result(), LATE, after(**late))
    assert (mark.final, mark.late_days, mark.raw) == (worth, days, 100)
    assert mark.penalty == 100 - worth
    assert (mark.state == "too late") == (days > 3)


def test_an_own_deadline_stands_in_the_courses_place() -> None:
    assert final(LATE, replace(after(days=2), due=DUE + timedelta(days=2))) == 100


def test_per_cent_are_of_what_was_earned() -> None:
    assert (
        final(LATE, after(days=1), {"bad-download": 0, "bad-request": 0, "door-open": 0}) == 80.1
    )  # 89 less 8.9


def test_without_a_late_rule_a_late_one_is_told_and_loses_nothing() -> None:
    mark = marks.give(result(), replace(LATE, late=None), after(days=2))
    assert mark.final == 100
    assert "2 days late" in mark.why


def test_a_time_that_nobody_knows_is_said() -> None:
    assert "nobody knows when" in marks.give(result(), LATE).pending[0]


def test_hints_cost_what_the_course_says_and_never_more_than_there_is() -> None:
    assert final(replace(PLAIN, hint_cost=0.5), Facts(hints=3)) == 98.5
    assert final(replace(PLAIN, hint_cost=10), Facts(hints=99)) == 0


@pytest.mark.parametrize(("rule", "worth"), [("apart", 97), ("added", 104), ("capped", 100)])
def test_a_bonus_is_apart_added_or_capped(rule: marks.Rules, worth: float) -> None:
    mark = marks.give(result(lost={"door-open": 0}), replace(PLAIN, bonus=rule))
    assert (mark.final, mark.bonus, mark.bonus_is_apart) == (worth, 7, rule == "apart")


def test_a_persons_word_stands_in_a_verdicts_place_and_the_verdict_stays() -> None:
    facts = Facts(words={"door-open": Word(2.5, "nearly (ta, 2027-02-01)")})
    judged = result(lost={"door-open": 0})
    mark = marks.give(judged, PLAIN, facts)
    assert mark.final == 99.5
    assert any("nearly" in step.what for step in marks.line_steps(marks.counted(judged, PLAIN, facts.words)))
    assert judged.line("door-open").verdict.outcome == "failed"
    assert (
        marks.give(judged.with_line("door-open", Verdict()), PLAIN, facts).final == 99.5
    )  # nobody waits for it


def test_a_word_about_the_whole_counts_above_all_even_of_what_is_missing() -> None:
    facts = Facts(words={marks.WHOLE: Word(60, "oral exam")})
    assert final(PLAIN, facts) == 60
    assert marks.give(None, PLAIN, facts).final == 60


def test_written_answers_are_a_part_of_their_own() -> None:
    rules = replace(PLAIN, prose=10, prose_questions=("1", "2", "5"))
    mark = marks.give(result(), rules, Facts(prose={"1": 2, "2": 1, "5": 0}))
    assert (mark.raw, mark.prose, mark.final, mark.total) == (100, 5, 105, 110)
    open_mark = marks.give(result(), rules, Facts(prose={"1": 2}))
    assert open_mark.pending == ("2 of 3 written answers are not marked",)


@pytest.mark.slow
@draw(
    some.dictionaries(some.sampled_from(sorted(POINTS)), some.sampled_from([0.0, 1 / 3, 0.5, 2 / 3]), max_size=42),
    some.integers(0, 100), some.integers(1, 1000), some.integers(0, 9), some.sampled_from(["apart", "added", "capped"]),
)  # fmt: skip
def test_the_steps_lead_to_the_mark(
    lost: dict[str, float], hours: int, scale: int, hints: int, bonus: str
) -> None:
    rules = replace(LATE, scale=scale, hint_cost=0.25, bonus=bonus)
    mark = marks.give(result(lost=lost), rules, replace(after(hours=hours), hints=hints))
    assert mark.final is not None
    assert mark.steps[-1].after == mark.final
    assert 0 <= mark.final <= (scale + 7 if bonus == "added" else scale)


def test_without_losses_the_lines_sum_as_lab_toml_has_it() -> None:
    judged = result(lost={"door-open": 0, "eight-at-once": 0.5})
    assert marks.give(judged, PLAIN).final == judged.score
