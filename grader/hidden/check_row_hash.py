"""Line row-hash."""

from grader.support.pictures import process_some, recorded, row_of, text
from grader.support.rows import Row, digest, standing, stored
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """A row's sha256 is that of the object's bytes.

    With it anybody can tell, years later, whether an image is still what was stored.
    """
    for image in process_some(lab, lab.random.randint(2, 4)):
        row = row_of(lab, image)
        _judge(row, recorded(lab, row, image).data)


def live(lab: Lab) -> None:
    """Each row's sha256 is that of the object that it names."""
    for row in standing(lab):
        _judge(row, stored(lab, row).data)


def _judge(row: Row, data: bytes) -> None:
    wanted, found = digest(data), text(row, "sha256")
    if found != wanted:
        raise Failed(
            "a row's sha256 is not that of its object", hint="of what, and when, is the hash taken? In hexadecimal",
            expected=wanted, found=found or "missing",
        )  # fmt: skip
