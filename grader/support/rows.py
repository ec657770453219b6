"""What the contract says of a row: its attributes and their types, its object, where and when it came from.

What belongs here: reading one row with suspicion. What does not: finding it (pictures), points (the checks).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from grader.support.pictures import text
from labkit.grading.api import Failed, Lab, NotTold, Stored

ATTRIBUTES = {
    "image_id": "S", "s3_bucket": "S", "s3_key": "S", "original_url": "S", "file_extension": "S", "file_size": "N",
    "sha256": "S", "status": "S", "created_at": "S", "processed_by": "S", "lab_token": "S",
}  # fmt: skip
#: how far the clocks of a server and of a check may be apart
_CLOCKS = timedelta(seconds=2)
#: rows that are looked at where a lab stands
_MOST = 20

Row = Mapping[str, Any]
#: (whether it holds, what is wrong where it does not), as `labkit.grading.api.lost` takes them
Items = Iterator[tuple[bool, str]]


def standing(lab: Lab) -> list[Row]:
    """The newest rows of the images that were processed. Raises NotTold where there are none."""
    found = sorted(lab.table.rows(), key=lambda row: text(row, "created_at"))
    if not found:
        raise NotTold("no image has been processed there yet", hint="./lab process")
    return found[-_MOST:]


def stored(lab: Lab, row: Row) -> Stored:
    """The object that the row names. Raises Failed where there is none."""
    found = lab.bucket.object(text(row, "s3_key"))
    if found is None:
        raise Failed(
            "a row names an object that is not in the bucket", hint="gap record: which key is written, and which is told?",
            expected="the row's object", found="nothing there",
        )  # fmt: skip
    return found


def typed(row: Row) -> Items:
    """All attributes are there, each with its type."""
    for name, kind in ATTRIBUTES.items():
        wrong = _wrong_type(row.get(name), name, kind)
        yield not wrong, wrong


def _wrong_type(value: object, name: str, kind: str) -> str:
    if not isinstance(value, dict):
        return f"{name} is missing"
    if set(value) != {kind} or value[kind] == "":
        return f"{name} is {' '.join(value)}, not {kind}"
    if name == "sha256" and not re.fullmatch("[0-9a-f]{64}", value[kind]):
        return "sha256 is not 64 hexadecimal digits"
    return ""


def agrees(row: Row, told: Mapping[str, str], *, needed: tuple[str, ...] = ()) -> Items:
    """What the row tells is what its object is; an attribute that is missing tells nothing, but for those `needed`."""
    for name, value in told.items():
        found = text(row, name)
        yield (
            found == value or (not found and name not in needed),
            f"a row's {name} is {found or 'missing'}, its object's {value}",
        )


def origin(row: Row, url: str, first: datetime, last: datetime) -> Items:
    """Where the image came from, and when, in UTC: between `first` and `last`."""
    yield text(row, "original_url") == url, f"original_url is {text(row, 'original_url') or 'missing'}"
    written = text(row, "created_at")
    wrong = _wrong_time(written, first, last)
    yield not wrong, f"{wrong}: {written}" if written else wrong


def _wrong_time(written: str, first: datetime, last: datetime) -> str:
    """What is wrong with a time: three different mistakes, and no time at all; "" for nothing."""
    if not written:
        return "created_at is missing"
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return "created_at is no time in ISO 8601"
    if time.utcoffset() is None:
        return "created_at has no zone"
    if time.utcoffset() != timedelta(0):
        return "created_at is in another zone, not in UTC"
    return "" if first - _CLOCKS <= time <= last + _CLOCKS else "created_at is not the time of this run"


def mark(lab: Lab, row: Row) -> Items:
    """By whom, with which token, and how far it is."""
    wanted = {"processed_by": "flask_ec2_server", "lab_token": lab.variant.lab_token, "status": "processed"}
    for name, value in wanted.items():
        yield text(row, name) == value, f"{name} is {text(row, name) or 'missing'}, not {value}"


def has_foreign_token(lab: Lab, row: Row) -> bool:
    """Whether the row holds the token of somebody else."""
    return text(row, "lab_token") not in ("", lab.variant.lab_token)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal, as a row tells it."""
    return hashlib.sha256(data).hexdigest()


def whole(lab: Lab, row: Row, url: str, data: bytes, first: datetime, last: datetime) -> Items:
    """Everything that a row of these bytes from this URL, made between `first` and `last`, has to say."""
    yield from typed(row)
    told = {"s3_bucket": lab.bucket.name, "file_size": str(len(data)), "sha256": digest(data)}
    yield from agrees(row, told)
    yield from origin(row, url, first, last)
    yield from mark(lab, row)
