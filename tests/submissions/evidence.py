"""What a student who did steps 05, 06 and 07 has in answers/, made up: the same for the same variant.

What belongs here: files that hold, to be handed in with a solution. What does not: judging them (grader/checks).
"""

import json
import random
import uuid
from collections.abc import Mapping

from grader.support.evidence import BREAK, LOG_READING, MEASUREMENTS, Fault, faults_of
from labkit.variant import Variant

_COUNT, _RATE = 60, 2.0


def files(variant: Variant) -> dict[str, str]:
    """The three files by name."""
    made = {LOG_READING: _log_reading(variant), BREAK: _faults(variant), MEASUREMENTS: _measurements(variant)}
    return {name: json.dumps(value, indent=1) + "\n" for name, value in made.items()}


def placeholders(variant: Variant) -> dict[str, str]:
    """Values in these files that differ between students, for diffs."""
    first, second = faults_of(variant)
    return {
        "hop_1": first.hop,
        "hop_2": second.hop,
        "evidence_1": _shown(first),
        "evidence_2": _shown(second),
    }


def _shown(fault: Fault) -> str:
    return f"seen: {fault.words[0]}"


def _log_reading(variant: Variant) -> Mapping[str, object]:
    request = str(uuid.UUID(int=random.Random(variant.lab_token).getrandbits(128)))
    log = [
        f"START RequestId: {request} Version: $LATEST", f"END RequestId: {request}",
        f"REPORT RequestId: {request}\tDuration: 31.20 ms\tBilled Duration: 93 ms\tMemory Size: 256 MB\t"
        "Max Memory Used: 61 MB\tInit Duration: 61.40 ms",
    ]  # fmt: skip
    return {"request_id": request, "init_ms": 61.4, "log": log}


def _faults(variant: Variant) -> Mapping[str, object]:
    return {
        "faults": [
            {"name": fault.name, "hop": fault.hop, "evidence": _shown(fault), "repaired": True, "drift": []}
            for fault in faults_of(variant)
        ]
    }


def _measurements(variant: Variant) -> Mapping[str, object]:
    samples = [_sample(variant, number) for number in range(_COUNT)]
    client = sorted(float(str(each["client_ms"])) for each in samples)
    inside, server = (
        sum(float(str(each[name])) for each in samples) / _COUNT for name in ("lambda_ms", "server_ms")
    )
    answers = {
        "server_share": round(server * _COUNT / sum(client), 4), "p95_ms": client[56],
        "million_usd": round(1e6 * inside / 1000 * 0.25 * 0.0000166667, 4),
    }  # fmt: skip
    return {"rate": _RATE, "seconds": _COUNT / _RATE, "samples": samples, "answers": answers}


def _sample(variant: Variant, number: int) -> Mapping[str, object]:
    rng = random.Random(f"{variant.lab_token}/{number}")
    server = round(rng.uniform(8, 14), 2)
    inside = round(server + rng.uniform(2, 4), 2)
    return {
        "at": number / _RATE, "request_id": str(uuid.UUID(int=rng.getrandbits(128))), "status": 200,
        "client_ms": round(inside + rng.uniform(3, 5), 2), "lambda_ms": inside, "server_ms": server,
    }  # fmt: skip
