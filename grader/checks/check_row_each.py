"""Line row-each."""

import time
from collections.abc import Iterator

from grader.support.pictures import Processed, process_some, recorded, row_of, text
from grader.support.rows import agrees
from labkit.grading.api import Failed, Lab, lost

_HOW_MANY = 3


def check(lab: Lab) -> None:
    """Each object has one row that agrees with it, written by your server.

    An object without a row is lost: nobody knows that it is there.
    """
    before, started = set(lab.bucket.keys(f"{lab.variant.prefix}/")), time.time()
    images = process_some(lab, _HOW_MANY)
    holding, missing = lost(
        [*_agree(lab, images), _nothing_else(lab, images, before), _by_server(lab, started)]
    )
    if holding < 1:
        raise Failed(
            missing, hint="gap record: one row for each object, and both say the same",
            expected=f"{_HOW_MANY} images, {_HOW_MANY} objects, {_HOW_MANY} rows", found=missing,
        )  # fmt: skip


def _agree(lab: Lab, images: list[Processed]) -> Iterator[tuple[bool, str]]:
    for image in images:
        row = row_of(lab, image)
        stored = recorded(lab, row, image)
        told = {
            "s3_bucket": lab.bucket.name, "s3_key": stored.key, "file_size": str(len(stored.data)),
        }  # fmt: skip
        yield from agrees(row, told, needed=("s3_key",))
    urls = [text(row, "original_url") for row in lab.table.rows()]
    yield all(urls.count(image.url) <= 1 for image in images), "an image has more than one row"


def _nothing_else(lab: Lab, images: list[Processed], before: set[str]) -> tuple[bool, str]:
    new = set(lab.bucket.keys(f"{lab.variant.prefix}/")) - before
    named = {text(row_of(lab, image), "s3_key") for image in images}
    return new == named, f"{_HOW_MANY} images made {len(new)} new objects"


def _by_server(lab: Lab, started: float) -> tuple[bool, str]:
    """By whom the rows were written, as AWS saw it."""
    calls = [c for c in lab.calls() if c.at >= started and c.operation.startswith("dynamodb:")]
    own = [c for c in calls if c.resource.partition("/")[0] == lab.table.name and c.place == "instance"]
    return len(own) >= _HOW_MANY and len(own) == len(calls), "the rows were not written by your server's role"
