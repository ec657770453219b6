"""Line bytes-exact."""

from grader.support.pictures import KINDS, Processed, process, stored_of
from grader.support.rows import digest
from labkit.grading.api import Failed, Lab, Untried

_SMALLEST, _LARGEST = 12, 5_000_000


def check(lab: Lab) -> None:
    """What is stored is byte for byte what was served, from a dozen bytes to 5 MB.

    An image is bytes, not text: one decode in between, and it is a picture no more.
    """
    for size in (_SMALLEST, lab.random.randint(2_000, 90_000), _LARGEST):
        image = _processed(lab, size)
        stored = stored_of(lab, image)
        if stored.data != image.data:
            raise Failed(
                f"the stored object is not what was served: {len(stored.data):,} bytes instead of {size:,}",
                hint="gaps download and store: where do the bytes become something else on their way?",
                expected=f"SHA-256 {digest(image.data)}", found=f"SHA-256 {digest(stored.data)}",
            )  # fmt: skip


def _processed(lab: Lab, size: int) -> Processed:
    """An image of so many bytes. Where smaller ones went through, a refusal is about the size."""
    try:
        return process(lab, lab.images.make(lab.random.choice(KINDS), size))
    except Untried as refused:
        if size == _SMALLEST:
            raise
        raise Failed(
            f"an image of {size:,} bytes was not processed, and smaller ones were",
            hint="which limit stands in the way? Up to 20 MB are an image", expected="status 200", found=refused.found,
        ) from refused  # fmt: skip
