"""Line row-hash."""

import hashlib

from grader.support.pictures import object_of, process_some, row_of, text
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """A row's sha256 is that of the object's bytes.

    With it anybody can tell, years later, whether an image is still what was stored.
    """
    for image in process_some(lab, lab.random.randint(2, 4)):
        wanted = hashlib.sha256(object_of(lab, image).data).hexdigest()
        found = text(row_of(lab, image), "sha256")
        if found != wanted:
            raise Failed(
                "a row's sha256 is not that of its object", hint="of what, and when, is the hash taken? In hexadecimal",
                expected=wanted, found=found or "missing",
            )  # fmt: skip
