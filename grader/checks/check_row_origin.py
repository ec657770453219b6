"""Line row-origin."""

from datetime import UTC, datetime

from grader.support import rows, user_data
from grader.support.pictures import process, row_of, text
from labkit.grading.api import Failed, Lab, lost

#: before any lab stood
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)


def check(lab: Lab) -> None:
    """A row tells where its image came from and when, and that your server made it.

    A time without a zone is a time nobody can compare; UTC says what is meant.
    """
    started = datetime.now(UTC)
    data = lab.images.make("gif", lab.random.randint(300, 3000))
    image = process(lab, data, port=user_data.port(lab))
    row = row_of(lab, image)
    _judge(lab, row, image.url, started)


def live(lab: Lab) -> None:
    """Each row tells a URL, a time in UTC that is not in the future, and that your server made it."""
    for row in rows.standing(lab):
        _judge(lab, row, text(row, "original_url") or "a URL", _FIRST)


def _judge(lab: Lab, row: rows.Row, url: str, started: datetime) -> None:
    origin = lost(rows.origin(row, url, started, datetime.now(UTC)))
    mark = lost(rows.mark(lab, row))
    if origin[0] < 1 or mark[0] < 1:
        missing = "; ".join(text for _, text in (origin, mark) if text)
        raise Failed(
            missing, fraction=((origin[0] == 1) + (mark[0] == 1)) / 2,
            # whose token a row holds is no gap's text: in the reference system it would be the reference's
            final=origin[0] == 1 and rows.has_foreign_token(lab, row),
            hint="gap record: what does the row say, and what was sent? Times in UTC, with Z or +00:00",
            expected="original_url, created_at in UTC, processed_by, lab_token, status", found=missing,
        )  # fmt: skip
