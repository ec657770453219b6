"""The result as Gradescope's results.json: one test for each line, and the score.

Gradescope: "Autograder specifications", results.json. What belongs here: that document. What does not: the image
in which Gradescope runs it. A result that is not final has no such document: Gradescope then says that the
autograder failed, and nobody takes a part for a mark.
"""

import json
from collections.abc import Iterator
from typing import Any

from labkit.base.text import shortened
from labkit.grading.model import LineResult, Result
from labkit.grading.reports import words

#: bytes of one line's output in the document: 44 lines stay below Gradescope's 1 MB
_LONGEST = 20_000


def render(result: Result, *, hidden: bool = False) -> dict[str, Any]:
    """The document as plain JSON values: Unix line ends, no NaN, formats named.

    Raises ValueError for a result that is not final.
    """
    if not result.is_final:
        raise ValueError("some lines were not judged: this is no mark")
    result = words.told(result, hidden=hidden)
    each = shares(result)
    return {
        "score": result.score if result.mark is None or result.mark.machine is None else result.mark.machine,
        "execution_time": float(result.timing.get("seconds", 0.0)),
        "output": "\n".join([words.headline(result), *words.circumstances(result)]),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            *(_test(number, line, each[number - 1]) for number, line in enumerate(result.lines, 1)),
            *map(_bonus, filter(words.asked_for, result.bonus)),
        ],
        "extra_data": {
            "bonus": result.bonus_score,
            "submission": result.about.get("submission", ""),
            "rubric": result.about.get("rubric", ""),
        },
    }


def shares(result: Result, *, whole: bool = False) -> list[float]:
    """What each line counts there, to two decimals (`whole`: in whole points), so that they sum to what a mark is out of: the rest goes to those
    that lost most by rounding. Gradescope refuses another sum than it is set to."""
    parts = 1 if whole else 100
    scale = round(parts * (result.mark.out_of if result.mark else result.total))
    exact = [scale * line.points / result.total for line in result.lines]
    floors = [int(share) for share in exact]
    by_rest = sorted(range(len(exact)), key=lambda n: floors[n] - exact[n])
    for n in by_rest[: scale - sum(floors)]:
        floors[n] += 1
    return [share / parts for share in floors]


def _test(number: int, line: LineResult, share: float) -> dict[str, Any]:
    return {
        "number": str(number),
        "name": f"{line.id}: {line.title}",
        "score": round(share * line.earned / line.points, 2) if line.points else 0.0,
        "max_score": share,
        "status": "passed" if line.verdict.passed else "failed",
        "output": _safe("\n".join(_output(line))),
        "tags": [f"step {line.step}", *([f"gap {line.gap}"] if line.gap else [])],
        "visibility": "visible",
    }


def _bonus(line: LineResult) -> dict[str, Any]:
    """For information: it has no score, so the sum stays what is configured in Gradescope."""
    return {
        "name": f"bonus {line.id}: {line.title}",
        "status": "passed" if line.verdict.passed else "failed",
        "output": _safe(
            f"{words.points(line.earned)} of {line.points} bonus points. {words.bonus_line(line)}"
        ),
        "tags": [f"step {line.step}", "bonus"],
        "visibility": "visible",
    }


def _output(line: LineResult) -> Iterator[str]:
    verdict = line.verdict
    yield from (f"noted, and costs nothing: {note}" for note in verdict.notes)
    if verdict.passed:
        yield words.proof(line)
        return
    pairs = (
        ("seen", verdict.reason),
        ("expected", verdict.expected),
        ("found", words.found(line)),
        ("try", verdict.hint),
    )
    yield from (f"{label}: {value}" for label, value in pairs if value)
    yield from verdict.evidence
    yield f"back to: {words.back_to(line)}"


def _safe(text: str) -> str:
    """As JSON not longer than _LONGEST."""
    while (size := len(json.dumps(text))) > _LONGEST:
        text = shortened(text, len(text) * _LONGEST // size - 1)
    return text
