"""`--like AWS`: how long things take where AWS is not a laptop, as delays that the local cloud is told to make.

What belongs here: the declared numbers, their words, and the time in which they hold. What does not: making
delays (labkit.cloud.web.latency). The numbers are declared, not measured: a run on AWS laid beside
(`--compare FILE`) is the only proof.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labkit.lesson.context import Context

#: stands beside every figure that was measured on the local cloud
HERE = "this laptop, no network; on AWS expect hundreds of ms"
#: kind: (what it is, median, 95th percentile), in ms
DECLARED: Mapping[str, tuple[str, float, float]] = {
    "client": ("you to the region and back", 120.0, 180.0),
    "images": ("the image's host", 150.0, 400.0),
    "s3": ("S3's answer", 30.0, 70.0),
    "dynamodb": ("DynamoDB's answer", 6.0, 15.0),
    "cold": ("the start of an environment", 350.0, 600.0),
}
#: delays end by themselves so long after the measurement should have, whatever became of who asked for them
SPARE_SECONDS = 120


@contextmanager
def delayed(context: Context, seconds: float) -> Iterator[Mapping[str, Any]]:
    """While the body runs the cloud is as slow as declared, if `--like AWS` was said.

    Gives what belongs into the record: {"like", "seed", "delays"}, or nothing.
    """
    options = context.options.extra
    if not options.get("like"):
        _declare(context, {}, 0, 0)
        yield {}
        return
    seed = int(options.get("seed", context.workspace.variant.port))
    delays = {kind: [median, p95] for kind, (_, median, p95) in DECLARED.items()}
    _declare(context, delays, seed, seconds + SPARE_SECONDS)
    try:
        yield {"like": options["like"], "seed": seed, "delays": delays}
    finally:
        _declare(context, {}, 0, 0)


def _declare(context: Context, delays: Mapping[str, Any], seed: int, seconds: float) -> None:
    if context.clients.target.is_local:
        body = json.dumps({"delays": delays, "seed": seed, "seconds": seconds}).encode()
        context.cloud.ask("PUT", "delays", body)


def remark(about: Mapping[str, Any]) -> str:
    """What must stand beside figures of this run; "" for a run on AWS."""
    if about.get("target") != "local" and not about.get("rehearsal"):
        return ""
    return (
        f"delays declared like AWS's (seed {about['seed']}), not measured there"
        if about.get("like")
        else HERE
    )


def in_words() -> list[str]:
    """The declared delays, one line each."""
    return [f"{what} {median:g} ms (95 of 100 under {p95:g})" for what, median, p95 in DECLARED.values()]
