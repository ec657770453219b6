"""Line row-origin."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from grader.support.pictures import Processed, process, row_of, text
from labkit.grading.api import Failed, Lab, lost

_CLOCKS = timedelta(seconds=2)


def check(lab: Lab) -> None:
    """A row tells where its image came from and when, and that your server made it.

    A time without a zone is a time nobody can compare; UTC says what is meant.
    """
    started = datetime.now(UTC)
    image = process(lab, lab.images.make("gif", lab.random.randint(300, 3000)))
    row = row_of(lab, image)
    origin = lost(_origin(row, image, started))
    mark = lost(_mark(lab, row))
    if origin[0] < 1 or mark[0] < 1:
        missing = "; ".join(text for _, text in (origin, mark) if text)
        raise Failed(
            missing, fraction=((origin[0] == 1) + (mark[0] == 1)) / 2,
            hint="gap record: what does the row say, and what was sent? Times in UTC, with Z or +00:00",
            expected="original_url, created_at in UTC, processed_by, lab_token, status", found=missing,
        )  # fmt: skip


def _origin(row: Mapping[str, Any], image: Processed, started: datetime) -> Iterator[tuple[bool, str]]:
    yield text(row, "original_url") == image.url, f"original_url is {text(row, 'original_url') or 'missing'}"
    written = text(row, "created_at")
    yield _within(written, started, datetime.now(UTC)), f"created_at is {written or 'missing'}"


def _within(written: str, first: datetime, last: datetime) -> bool:
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return False
    return time.utcoffset() == timedelta(0) and first - _CLOCKS <= time <= last + _CLOCKS


def _mark(lab: Lab, row: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    wanted = {"processed_by": "flask_ec2_server", "lab_token": lab.variant.lab_token, "status": "processed"}
    for name, value in wanted.items():
        yield text(row, name) == value, f"{name} is {text(row, name) or 'missing'}, not {value}"
