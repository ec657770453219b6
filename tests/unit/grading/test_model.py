"""Points follow from verdicts; what was not judged is neither earned nor lost; JSON and back is the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.grading.model import NOT_YET, Verdict, best, from_json, to_json, worst_first
from tests.unit.grading import results

PASSED, FAILED, TROUBLE = Verdict("passed", 1.0), Verdict("failed"), Verdict()
PART = Verdict("failed", 0.5)


def test_a_new_result_is_no_mark() -> None:
    result = results.nothing()
    assert (result.score, result.total, result.is_final) == (0, 100, False)
    assert all(line.verdict == NOT_YET for line in result.lines)


def test_the_denominator_never_shrinks() -> None:
    result = results.nothing().with_line("deploys", PASSED)
    assert (result.score, result.total) == (10, 100)
    assert not result.is_final


def test_parts_of_points() -> None:
    result = results.mixed()
    assert result.line("row-hash").earned == 15
    assert result.score == 25
    assert [line.id for line in worst_first(result.lines)] == ["door-open", "row-hash"]


def test_a_bonus_is_apart_from_the_mark() -> None:
    result = results.mixed()
    assert (result.bonus_score, result.bonus_total) == (2, 5)
    earned, unjudged = result.with_line("parity", PASSED), result.with_line("parity", TROUBLE)
    assert (earned.bonus_score, earned.score, earned.total) == (5, 25, 100)
    assert unjudged.is_final
    assert not unjudged.not_judged


def test_thirds_are_rounded_to_cents() -> None:
    result = results.nothing().with_line("deploys", Verdict("failed", 1 / 3))
    assert result.line("deploys").earned == 3.33
    assert result.line("deploys").lost == 6.67


def test_all_judged_but_not_to_the_end_is_no_mark() -> None:
    assert results.mixed().is_final
    assert not replace(results.mixed(), complete=False).is_final


@pytest.mark.parametrize(
    ("attempts", "winner"),
    [
        ([PASSED], PASSED),
        ([FAILED, PASSED], PASSED),
        ([PASSED, TROUBLE], PASSED),
        ([TROUBLE, PASSED], PASSED),
        ([FAILED, TROUBLE], TROUBLE),
        ([TROUBLE, FAILED], TROUBLE),
        ([FAILED, PART], PART),
        ([PART, FAILED], PART),
    ],
)
def test_the_best_attempt_counts_and_our_trouble_never_costs(
    attempts: list[Verdict], winner: Verdict
) -> None:
    assert best(attempts) == winner


def test_of_equal_attempts_the_one_alone_is_told() -> None:
    first, second = Verdict("failed", reason="whole"), Verdict("failed", reason="alone")
    assert best([first, second]).reason == "alone"


def test_json_and_back() -> None:
    result = results.mixed()
    again = from_json(json.loads(json.dumps(to_json(result))))
    assert again == result


@pytest.mark.parametrize(
    "broken",
    [
        {"format": "other"},
        {"lines": None},
        {"lines": [{"id": "x"}]},
    ],
)
def test_what_is_no_result_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"result|argument|None"):
        from_json({**to_json(results.mixed()), **broken})


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_verdict_has_a_fraction_outside_0_to_1(fraction: float) -> None:
    from labkit.grading.model import verdict_of

    value = {**vars(PASSED), "fraction": fraction}
    if 0 <= fraction <= 1:
        assert verdict_of(value).fraction == fraction
    else:
        with pytest.raises(ValueError, match="no verdict"):
            verdict_of(value)
