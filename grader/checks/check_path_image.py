"""Line path-image."""

from grader.support.pictures import KINDS
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """Three new images go through everything, as you handed it in, in a region where it never was.

    The sum of all parts: what works in one region only has a region typed into it somewhere.
    """
    other = lab.abroad()
    other.server.boot()
    for kind in lab.random.sample(KINDS, 3):
        _one(lab, other, kind, lab.images.make(kind, lab.random.randint(1_000, 200_000)))


def _one(lab: Lab, other: Lab, kind: str, data: bytes) -> None:
    name = f"{lab.unique('new')}.{kind}"
    answer = other.process(other.images.publish(data, name=name))
    if answer.status != 200 or answer.problem:
        raise _failed(other, f"an image was not processed in {other.region}: {answer.text}")
    stored, row = other.bucket.object(answer.key), other.table.row(answer.image_id)
    if stored is None or stored.data != data:
        raise _failed(other, f"in {other.region} the object is not what was served")
    if row is None or "processed" not in str(row.get("status")):
        raise _failed(other, f"in {other.region} the object has no row with status processed")


def _failed(other: Lab, reason: str) -> Failed:
    return Failed(
        reason, hint="does it work in your own region? Then look for a region typed into a file",
        expected="three images stored and recorded", found=reason, evidence=other.server.journal(lines=4),
    )  # fmt: skip
