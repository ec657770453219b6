"""What a student who did steps 05, 06 and 07 hands in beside the code, made up: the same for the same variant.

What belongs here: files that hold, to be handed in with a solution. What does not: judging them (grader/checks).
"""

import json
import random
import uuid
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from grader.support.evidence import ANSWERS, BREAK, MEASUREMENT, faults_of
from labkit.course import answers
from labkit.course.variant import Variant
from labkit.lesson.measuring import measuring

_COUNT, _RATE, _INIT = 60, 2.0, 61.4
#: an observation that shows each fault
_SHOWN = {
    "rule-revoked": "describe-security-groups: no ingress rule is left", "route-gone": "no route to 0.0.0.0/0",
    "answers-denied": "describe-network-acls: rule 50 denies tcp 1024 to 65535 coming in",
    "no-concurrency": "TooManyRequestsException", "service-stopped": "systemctl status flask-app: inactive (dead)",
    "not-enabled": "systemctl is-enabled flask-app: disabled", "table-renamed": "ResourceNotFoundException",
    "explicit-deny": "with an explicit deny in a resource-based policy", "key-type": "ValidationException",
}  # fmt: skip


def files(variant: Variant) -> dict[str, str]:
    """The three files by name."""
    measured = _measurement(variant)
    return {
        ANSWERS: _answers(variant, measured),
        BREAK: json.dumps({"hunts": _hunts(variant)}, indent=1) + "\n",
        MEASUREMENT: json.dumps(measured, indent=1) + "\n",
    }


def placeholders(variant: Variant) -> dict[str, str]:
    """Values in these files that differ between students, for diffs."""
    first, second = faults_of(variant.lab_token)
    address = str(ip_network(variant.subnet_cidr)[4])  # what the first server in a subnet gets here
    return {"hop_1": first.hop, "hop_2": second.hop, "server_address": address}


def _hunts(variant: Variant) -> list[Mapping[str, Any]]:
    right = {"hop_right": True, "evidence_right": True, "repaired": True, "undone": False}
    return [
        {
            "name": fault.name,
            "made": True,
            "memo": {},
            "hop": fault.hop,
            "evidence": _SHOWN[fault.name],
            **right,
        }
        for fault in faults_of(variant.lab_token)
    ]


def _answers(variant: Variant, measured: Mapping[str, Any]) -> str:
    computed = answers.compute(measured)
    parts = ["# Answers\n"]
    for question in answers.questions():
        about = f"Number: {computed[question.number]:.4f}\n\n" if question.number else ""
        parts.append(f"\n## {question.id}. {question.title}\n\n{about}Answer: because it is so.\n")
    request = _id(variant, "cold")
    return "".join(parts) + (
        "\n# The log\n\n"
        f"REPORT RequestId: {request}\tDuration: 31.20 ms\tBilled Duration: 93 ms\tMemory Size: 256 MB\t"
        f"Max Memory Used: 61 MB\tInit Duration: {_INIT:.2f} ms\n\nRequest id: {request}\nInit Duration: {_INIT} ms\n"
    )


def _measurement(variant: Variant) -> dict[str, Any]:
    requests = [_request(variant, number) for number in range(_COUNT)]
    plan = measuring.Plan(_RATE, _COUNT / _RATE)
    return measuring.report(plan, requests, {"memory_mb": 256, "target": "local"})


def _request(variant: Variant, number: int) -> measuring.Request:
    rng = random.Random(f"{variant.lab_token}/{number}")
    server = round(rng.uniform(8, 14), 2)
    function = round(server + rng.uniform(2, 4), 2)
    client = round(function + rng.uniform(3, 5), 2)
    return measuring.Request(number / _RATE, 200, client, function, server, 0, 20, _id(variant, number))


def _id(variant: Variant, what: object) -> str:
    return str(uuid.UUID(int=random.Random(f"{variant.lab_token} {what}").getrandbits(128)))
