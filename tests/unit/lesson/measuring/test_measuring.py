"""Measuring: pacing keeps its rate, statistics are right, numbers that can't be are noticed."""

import itertools
import math
import statistics as reference
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.course import answers
from labkit.course.statistics import NAMES, percentile, summary
from labkit.lesson.measuring import measuring
from labkit.lesson.measuring.measuring import Plan, Request

GOOD = Request(0.0, 200, 20.0, 12.0, 9.0, 0.0, 21.0, "id")


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.floats(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= math.ceil(share / 100 * len(values))
    assert sum(v < found for v in values) < math.ceil(share / 100 * len(values))


@given(st.lists(st.floats(0, 1e5), min_size=2, max_size=100))
def test_the_summary_agrees_with_the_standard_library(values: list[float]) -> None:
    found = summary(values)
    assert list(found) == list(NAMES)
    assert found["mean"] == pytest.approx(reference.fmean(values), abs=0.001)
    assert found["median"] == pytest.approx(reference.median(values), abs=0.001)
    assert found["deviation"] == pytest.approx(reference.stdev(values), abs=0.001)
    assert found["minimum"] <= found["median"] <= found["p95"] <= found["p99"] <= found["maximum"]


def test_no_values_and_one_value() -> None:
    assert summary([]) == {"count": 0}
    assert summary([5.0])["deviation"] == 0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_rate_is_kept_although_answers_are_slow() -> None:
    """An open loop: a slow answer does not delay the next request."""
    import threading

    all_under_way = threading.Barrier(5, timeout=10)

    def send() -> Request:
        all_under_way.wait()  # nobody gets on before five are under way
        return GOOD

    assert len(measuring.measure(Plan(rate=50, seconds=0.1), send, lambda *_: None)) == 5


def test_several_clients_send_at_the_same_time() -> None:
    import threading

    both, done = threading.Barrier(2, timeout=10), itertools.count()

    def send() -> Request:
        number = next(done)
        if number < 2:
            both.wait()  # neither gets on before the other has begun
        return replace(GOOD, at=float(number))

    requests = measuring.measure(Plan(clients=2, seconds=0.05), send, lambda *_: None)
    assert [r.at for r in requests] == sorted(r.at for r in requests)
    assert len(requests) >= 2


def test_layers_leave_out_cold_starts_and_failures() -> None:
    requests = [GOOD, replace(GOOD, init=80.0, client=200.0), replace(GOOD, status=500)]
    layers = measuring.layers(requests)
    assert layers["client"] == [20.0]
    assert (layers["lambda alone"], layers["network"]) == ([8.0], [3.0])


def test_a_part_longer_than_the_whole_is_noticed() -> None:
    assert measuring.inconsistent([GOOD]) == []
    assert len(measuring.inconsistent([replace(GOOD, server=15.0), replace(GOOD, function=-1.0)])) == 2
    assert measuring.inconsistent([replace(GOOD, status=504, server=-1.0)]) == []


def report() -> dict[str, object]:
    requests = [replace(GOOD, client=20.0 + n) for n in range(100)] + [replace(GOOD, status=500)]
    return measuring.report(Plan(), requests, {"memory_mb": 256, "student": "ada", "target": "local"})


def test_the_report_counts_statuses_and_success() -> None:
    value = report()
    assert value["statuses"] == {"200": 100, "500": 1}
    assert value["success_rate"] == pytest.approx(100 / 101, abs=1e-4)
    assert value["layers"]["client"]["p99"] == 118.0


def test_answers_are_compared_with_own_data(tmp_path) -> None:
    assert answers.begin(tmp_path)
    assert not answers.begin(tmp_path)
    path = tmp_path / answers.FILE
    computed = answers.compute(report())
    assert computed["p99"] == 118.0
    assert computed["million_cost"] == pytest.approx(1e6 * GOOD.function / 1000 * 0.25 * 0.0000166667 + 0.2)
    empty = answers.numbers(path.read_text(), report())
    assert all("no number was found behind `Number:`" in n.wrong for n in empty)
    head, _, tail = path.read_text().rpartition("Number:")
    path.write_text(f"{head}Number: 118,2{tail.replace('Answer:', 'Answer: the disk')}")
    given = {n.question.number: n for n in answers.numbers(path.read_text(), report())}
    assert given["p99"].given == (118.2,)
    assert given["p99"].agrees
    assert not given["million_cost"].agrees
    assert [q.id for q in answers.unanswered(tmp_path)] == ["1", "2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize("layer", ["function", "client"])
def test_a_question_is_answered_as_the_kit_that_asked_it_put_it(layer: str) -> None:
    """Until 0.1 question 4 said "with your mean at the client": whose file asks that answers that."""
    mean = reference.fmean(each[layer] for each in report()["requests"] if each["status"] == 200)
    cost = 1e6 * mean / 1000 * 0.25 * 0.0000166667 + 0.2
    found = {n.question.id: n for n in answers.numbers(f"## 4. Cost\n\nNumber: {cost:.4f}\n", report())}
    assert found["4"].agrees


@pytest.mark.slow
def test_two_pictures_are_drawn(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    from labkit.lesson.measuring import plots

    for path in plots.draw(report(), tmp_path, "rate-1"):
        assert path.read_bytes().startswith(b"\x89PNG")
