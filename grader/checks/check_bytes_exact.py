"""Line bytes-exact."""

from urllib.parse import unquote, urlsplit

from grader.support.pictures import KINDS, Processed, process, stored_of, text
from grader.support.rows import Row, digest, standing, stored
from labkit.grading.api import Failed, Lab, NotTold, Untried

_SMALLEST, _LARGEST = 12, 5_000_000


def check(lab: Lab) -> None:
    """What is stored is byte for byte what was served, from a dozen bytes to 5 MB.

    An image is bytes, not text: one decode in between, and it is a picture no more.
    """
    for size in (_SMALLEST, lab.random.randint(2_000, 90_000), _LARGEST):
        image = _processed(lab, size)
        _judge(stored_of(lab, image).data, image.data)


def live(lab: Lab) -> None:
    """Each object is byte for byte the image in your own bucket that your server was sent."""
    sent = [(row, _input_of(lab, row)) for row in standing(lab)]
    known = [(row, data) for row, data in sent if data is not None]
    if not known:
        raise NotTold(
            "no image came from the bucket itself, so nobody knows what was served", hint="./lab process"
        )
    for row, data in known:
        _judge(stored(lab, row).data, data)


def _input_of(lab: Lab, row: Row) -> bytes | None:
    """What was served, where it came by a presigned URL of the lab's own bucket and is still there."""
    url = urlsplit(text(row, "original_url"))
    found = None
    if (url.hostname or "").startswith(f"{lab.bucket.name}.s3."):
        found = lab.bucket.object(unquote(url.path.removeprefix("/")))
    return found.data if found else None


def _judge(data: bytes, served: bytes) -> None:
    if data != served:
        raise Failed(
            f"the stored object is not what was served: {len(data):,} bytes instead of {len(served):,}",
            hint="gaps download and store: where do the bytes become something else on their way?",
            expected=f"SHA-256 {digest(served)}", found=f"SHA-256 {digest(data)}",
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
