"""Line benchmark."""

from collections.abc import Iterator, Mapping
from typing import Any

from grader.support.evidence import ANSWERS, MEASUREMENT, number, read, suspecting, text
from labkit.course import answers
from labkit.grading.api import Failed, Lab, lost

_FEWEST = 30


def check(lab: Lab) -> None:
    """You measured long enough at the rate you set, and your three answers agree with your own data.

    A number without the measurement behind it is an opinion.
    """
    with suspecting(MEASUREMENT, "07"):
        measured = read(lab, MEASUREMENT, "07")
        requests = [each for each in measured.get("requests") or [] if isinstance(each, Mapping)]
        enough, why = lost(_enough(measured, requests))
        right, wrong = lost(_answers(lab, measured))
    if enough < 1 or right < 1:
        raise Failed(
            "; ".join(each for each in (why, wrong) if each), fraction=((enough == 1) + 2 * right) / 3,
            hint="measure again with step 07, then answer from that file" if enough < 1 else
            "below each question's heading:  Number: 12.3  as measurements/measurement.json gives it",
            expected=f"{_FEWEST} requests or more at the set rate, three answers", found=why or wrong,
        )  # fmt: skip


def _enough(measured: Mapping[str, Any], requests: list[Mapping[str, Any]]) -> Iterator[tuple[bool, str]]:
    plan = measured.get("plan")
    plan = plan if isinstance(plan, Mapping) else {}
    due = number(plan.get("rate")) * number(plan.get("seconds"))
    yield len(requests) >= _FEWEST, f"{len(requests)} requests are too few"
    yield not len(requests) < 0.9 * due, "there are fewer requests than the set rate gives"
    times = [number(each.get("at")) for each in requests] or [0.0]
    wanted = 0.8 * number(plan.get("seconds")) - 2
    yield max(times) - min(times) >= wanted, "they did not last as long as set"
    ids = {each.get("request_id") for each in requests}
    yield len(ids) == len(requests), "a request stands there twice"


def _answers(lab: Lab, measured: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    try:
        found = answers.numbers(text(lab, ANSWERS, "07"), measured)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        found = []
    if not found:
        yield False, "there is no measurement to compare your answers with"
    for each in found:
        yield each.agrees, each.wrong
