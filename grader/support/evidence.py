"""What the student found out in steps 05 to 07, as it was handed in.

answers.md holds what was written, record/break.json the hunt for the two faults (labkit.lesson.faults.breaking),
measurements/measurement.json every request of step 07 (labkit.lesson.measuring.measuring).

What belongs here: reading these with suspicion. What does not: making them (labkit.lesson).
"""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.course import answers, course, manifest
from labkit.grading.api import Failed, Lab
from labkit.lesson.faults import breaking
from labkit.lesson.faults.faults import Fault, by_name

#: more than a time in nanoseconds has
_DIGITS = 20
ANSWERS, BREAK, MEASUREMENT = answers.FILE, "record/break.json", "measurements/measurement.json"


def text(lab: Lab, name: str, step: str) -> str:
    """A file that was handed in. Raises Failed when it is missing."""
    if name not in lab.files:
        raise Failed(
            f"{name} was not handed in", hint=f"step {step} begins it: do the step, then pack again",
            expected=name, found="no such file",
        )  # fmt: skip
    return lab.files[name]


def read(lab: Lab, name: str, step: str) -> Mapping[str, Any]:
    """A file that was handed in, as an object. Raises Failed when it is missing or none.

    No number in it is NaN, infinite, or longer than a measurement gives.
    """
    try:
        value = json.loads(
            text(lab, name, step), parse_constant=_number, parse_int=_whole, parse_float=_number
        )
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise _bent(name, step, "no JSON object")
    return value


@contextlib.contextmanager
def suspecting(name: str, step: str) -> Iterator[None]:
    """Around a check that looks at nothing but this file: what it stumbles over is the file's form. Raises Failed."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
        raise _bent(name, step, f"a value of another form ({type(error).__name__})") from error


def _bent(name: str, step: str, found: str) -> Failed:
    return Failed(f"{name} is not what step {step} wrote", hint=f"do step {step} again", found=found)


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number of so many digits is none of a measurement")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("this is no number of a measurement")
    return value


def number(value: object) -> float:
    """`value` as a number, or one that is equal to none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if fits else float("nan")  # type: ignore[arg-type]


def faults_of(token: str) -> list[Fault]:
    """The faults of the student with this lab_token, in their order."""
    chosen = course.load(manifest.load(Path(manifest.__file__).resolve().parents[2]))
    return [by_name(name) for name in breaking.choose(token, chosen.pool, chosen.how_many)]


def judge_fault(lab: Lab, which: int) -> Mapping[str, Any]:
    """The record of fault 1 or 2, when hop and evidence are right. Raises Failed otherwise."""
    with suspecting(BREAK, "06"):
        return _judge_fault(lab, which)


def _judge_fault(lab: Lab, which: int) -> Mapping[str, Any]:
    fault, told = faults_of(lab.variant.lab_token)[which - 1], _hunt(lab, which)
    evidence, memo = str(told.get("evidence", "")), told.get("memo")
    if told.get("name") != fault.name:
        raise Failed(
            f"fault {which} is not the one of your own values", hint="do step 06 again",
            expected="your own fault", found=told.get("name", "none"),
        )  # fmt: skip
    if told.get("hop") != fault.hop:
        raise Failed(
            f"fault {which} does not stop the path where you say", hint="which hop is the last that still works?",
            expected="the hop at which the path stops", found=told.get("hop") or "no hop",
        )  # fmt: skip
    if not evidence or not fault.convinces(evidence, dict(memo) if isinstance(memo, Mapping) else {}):
        raise Failed(
            f"what you show does not prove fault {which}", fraction=0.5,
            hint="one log line, rule id or command that would look otherwise without the fault",
            expected="evidence for this hop", found=evidence[:160] or "nothing",
        )  # fmt: skip
    return told


def _hunt(lab: Lab, which: int) -> Mapping[str, Any]:
    hunts = read(lab, BREAK, "06").get("hunts")
    told = hunts[which - 1] if isinstance(hunts, Sequence) and len(hunts) >= which else None
    if not isinstance(told, Mapping):
        raise Failed(
            f"you did not look for fault {which}", hint="do step 06", expected="a fault", found="none"
        )
    return told
