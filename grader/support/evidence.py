"""What the student found out and wrote down: three files that steps 05, 06 and 07 keep in answers/.

    answers/log-reading.json   {"request_id": …, "init_ms": …, "log": [lines of the own call: START … REPORT]}
    answers/break.json         {"faults": [{"name": "F1", "hop": "door", "evidence": …,
                                             "repaired": true, "drift": []}, …]}
    answers/measurements.json  {"rate": 1.0, "seconds": 60,
                                "samples": [{"at": …, "request_id": …, "status": 200,
                                             "client_ms": …, "lambda_ms": …, "server_ms": …}, …],
                                "answers": {"server_share": …, "p95_ms": …, "million_usd": …}}

What belongs here: reading these, and which faults a student gets. What does not: making them (labkit.lesson).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.grading.api import Failed, Lab
from labkit.variant import Variant

LOG_READING, BREAK, MEASUREMENTS = (
    f"answers/{name}.json" for name in ("log-reading", "break", "measurements")
)


@dataclass(frozen=True)
class Fault:
    """A fault of step 06: at which hop it stops the path, and words of which one belongs to its evidence."""

    name: str
    hop: str
    words: tuple[str, ...]


FAULTS = (
    Fault("F1", "door", ("sg-", "security group", "ingress", "dropped")),
    Fault("F2", "health", ("refused", "inactive", "stopped", "systemctl", "dead")),
    Fault("F3", "vpc", ("acl", "deny", "ephemeral")),
    Fault("F4", "store", ("route", "rtb-", "0.0.0.0/0")),
    Fault("F5", "store", ("deny", "accessdenied")),
    Fault("F6", "store", ("resourcenotfound", "table")),
    Fault("F7", "function", ("concurren", "toomanyrequests", "throttl", "429")),
    Fault("F8", "client", ("public", "address", "ip")),
    Fault("F9", "store", ("time", "504", "20 s")),
    Fault("F10", "store", ("validationexception", "key", "schema")),
)


def faults_of(variant: Variant) -> tuple[Fault, Fault]:
    """The two faults that this student gets: different ones, by the own values."""
    digest = hashlib.sha256(f"break\n{variant.lab_token}".encode()).digest()
    first = digest[0] % len(FAULTS)
    second = (first + 1 + digest[1] % (len(FAULTS) - 1)) % len(FAULTS)
    return FAULTS[first], FAULTS[second]


def read(lab: Lab, name: str, step: str) -> Mapping[str, Any]:
    """The file as an object. Raises Failed when it is missing or none."""
    if name not in lab.files:
        raise Failed(
            f"{name} was not handed in", hint=f"step {step} writes it: do the step, then pack again",
            expected=name, found="no such file",
        )  # fmt: skip
    try:
        value = json.loads(lab.files[name])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise Failed(
            f"{name} is not what step {step} wrote", hint=f"do step {step} again", found="no JSON object"
        )
    return value


def number(value: object) -> float:
    """`value` as a number, or one that is equal to none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if fits else float("nan")  # type: ignore[arg-type]


def judge_fault(lab: Lab, which: int) -> Mapping[str, Any]:
    """The student's record of fault 1 or 2, when hop and evidence are right. Raises Failed otherwise."""
    fault, told = faults_of(lab.variant)[which - 1], _record(lab, which)
    evidence = str(told.get("evidence", "")).lower()
    if told.get("name") != fault.name:
        raise Failed(f"fault {which} is not the one of your own values", hint="do step 06 again",
                     expected="your own fault", found=told.get("name", "none"))  # fmt: skip
    if told.get("hop") != fault.hop:
        raise Failed(
            f"fault {which} does not stop the path where you say", hint="which hop is the last that still works?",
            expected="the hop at which the path stops", found=told.get("hop", "no hop"),
        )  # fmt: skip
    if not any(word in evidence for word in fault.words):
        raise Failed(
            f"what you show does not prove fault {which}", fraction=0.5,
            hint="one log line, rule id or command that would look otherwise without the fault",
            expected="evidence for this hop", found=evidence[:160] or "nothing",
        )  # fmt: skip
    return told


def _record(lab: Lab, which: int) -> Mapping[str, Any]:
    faults = read(lab, BREAK, "06").get("faults")
    if not isinstance(faults, list) or len(faults) < which or not isinstance(faults[which - 1], Mapping):
        raise Failed(
            f"there is no fault {which} in {BREAK}",
            hint="do step 06",
            expected=f"fault {which}",
            found="none",
        )
    told: Mapping[str, Any] = faults[which - 1]
    return told
