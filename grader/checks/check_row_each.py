"""Line row-each."""

import time
from collections.abc import Iterator

from grader.support.pictures import Processed, process_some, recorded, row_of, text
from grader.support.rows import Row, agrees, standing, stored
from labkit.grading.api import Failed, Lab, Stored, lost

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
    _judge(holding, missing, f"{_HOW_MANY} images, {_HOW_MANY} objects, {_HOW_MANY} rows")


def live(lab: Lab) -> None:
    """Each object below your prefix has one row, and each row's object is as the row says."""
    rows, keys = standing(lab), lab.bucket.keys(f"{lab.variant.prefix}/")
    told = [text(row, "s3_key") for row in lab.table.rows()]
    once = [(told.count(key) == 1, f"{told.count(key)} rows name one object") for key in keys]
    _judge(
        *lost([*once, *(item for row in rows for item in _agrees(lab, row, stored(lab, row)))]),
        "one row for each object",
    )


def _judge(holding: float, missing: str, expected: str) -> None:
    if holding < 1:
        raise Failed(
            missing, hint="gap record: one row for each object, and both say the same", expected=expected, found=missing,
        )  # fmt: skip


def _agree(lab: Lab, images: list[Processed]) -> Iterator[tuple[bool, str]]:
    for image in images:
        row = row_of(lab, image)
        yield from _agrees(lab, row, recorded(lab, row, image))
    urls = [text(row, "original_url") for row in lab.table.rows()]
    yield all(urls.count(image.url) <= 1 for image in images), "an image has more than one row"


def _agrees(lab: Lab, row: Row, its: Stored) -> Iterator[tuple[bool, str]]:
    told = {"s3_bucket": lab.bucket.name, "s3_key": its.key, "file_size": str(len(its.data))}
    yield from agrees(row, told, needed=("s3_key",))


def _nothing_else(lab: Lab, images: list[Processed], before: set[str]) -> tuple[bool, str]:
    new = set(lab.bucket.keys(f"{lab.variant.prefix}/")) - before
    named = {text(row_of(lab, image), "s3_key") for image in images}
    return new == named, f"{_HOW_MANY} images made {len(new)} new objects"


def _by_server(lab: Lab, started: float) -> tuple[bool, str]:
    """By whom the rows were written, as AWS saw it."""
    calls = [c for c in lab.calls() if c.at >= started and c.operation.startswith("dynamodb:")]
    own = [c for c in calls if c.resource.partition("/")[0] == lab.table.name and c.place == "instance"]
    return len(own) >= _HOW_MANY and len(own) == len(calls), "the rows were not written by your server's role"
