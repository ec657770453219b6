"""Line path-image."""

import functools
from datetime import UTC, datetime

from grader.support import rows
from grader.support.pictures import KINDS, process, row_of
from labkit.grading.api import Failed, Lab, lost
from labkit.grading.judging.clues import next_thing


def check(lab: Lab) -> None:
    """Three new images go through everything, as you handed it in, in a region where it never was.

    The sum of all parts: what works in one region only has a region typed into it somewhere.
    """
    other = lab.in_other_region()
    other.server.boot()
    wrong = [
        _one(other, kind, lab.images.make(kind, lab.random.randint(1_000, 200_000)))
        for kind in lab.random.sample(KINDS, 3)
    ]
    if any(wrong):
        _judge_given(lab)


def _one(other: Lab, kind: str, data: bytes) -> str:
    """What is wrong in the row of an image that was processed, stored and recorded. Raises Failed where it was not."""
    url, started = other.images.publish(data, name=f"{other.unique('picture')}.{kind}"), datetime.now(UTC)
    failed = functools.partial(_failed, other, started.timestamp())
    answer = other.process(url)
    if answer.status != 200 or answer.problem:
        raise failed(f"an image was not processed in {other.region}: {answer.text}")
    if not str(answer.result.get("s3_location", "")).startswith(f"s3://{other.bucket.name}/"):
        told = answer.result.get("s3_location", "nothing")
        raise failed(f"the answer's s3_location is not s3://, your bucket and the object's key: {told}")
    stored, row = other.bucket.object(answer.key), other.table.row(answer.image_id)
    if stored is None:
        raise failed(f"in {other.region} the bucket has no object at the answer's s3_location")
    if stored.data != data:
        raise failed(f"in {other.region} the object is not what was served")
    if row is None:
        raise failed(f"in {other.region} the table has no row with the answer's image_id")
    if "processed" not in str(row.get("status")):
        raise failed(f"in {other.region} the image's row does not say processed")
    return lost(rows.whole(other, row, url, data, started, datetime.now(UTC)))[1]


def _judge_given(lab: Lab) -> None:
    """What a gap writes wrong into a row costs that gap's lines; what given text does is the whole's. Raises Failed."""
    given, data, started = lab.with_given_only(), lab.images.make("png", 4000), datetime.now(UTC)
    image = process(given, data)
    _, wrong = lost(rows.whole(given, row_of(given, image), image.url, data, started, datetime.now(UTC)))
    if wrong:
        raise Failed(
            f"a row is not as in the contract: {wrong}",
            hint="compare the text outside the gaps of flask_app.py with a fresh one",
            expected="a row as in the contract", found=wrong,
        )  # fmt: skip


def _failed(other: Lab, since: float, reason: str) -> Failed:
    return Failed(
        reason, hint=next_thing(reason, "send one yourself and follow it:  ./lab process, then  ./lab logs server"),
        expected="three images stored and recorded", found=reason, evidence=other.server.journal(lines=4, since=since),
    )  # fmt: skip
