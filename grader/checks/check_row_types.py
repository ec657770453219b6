"""Line row-types."""

import re

from grader.support.pictures import process, row_of
from labkit.grading.api import Failed, Lab

_ATTRIBUTES = {
    "image_id": "S", "s3_bucket": "S", "s3_key": "S", "original_url": "S", "file_extension": "S", "file_size": "N",
    "sha256": "S", "status": "S", "created_at": "S", "processed_by": "S", "lab_token": "S",
}  # fmt: skip


def check(lab: Lab) -> None:
    """A row has all its attributes, each with the right type.

    DynamoDB takes anything: a number stored as text sorts 10 before 9, and nobody notices for a year.
    """
    row = row_of(lab, process(lab, lab.images.make("png", lab.random.randint(300, 3000))))
    wrong = [_wrong(row, name, kind) for name, kind in _ATTRIBUTES.items()]
    if any(wrong):
        found = "; ".join(each for each in wrong if each)
        raise Failed(
            f"the row is not as in the contract: {found}", hint="gap record: as_row gives each value its type",
            expected=", ".join(f"{name} ({kind})" for name, kind in _ATTRIBUTES.items()), found=found,
        )  # fmt: skip


def _wrong(row: object, name: str, kind: str) -> str:
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, dict):
        return f"{name} is missing"
    if set(value) != {kind} or value[kind] == "":
        return f"{name} is {' '.join(value)}, not {kind}"
    if name == "sha256" and not re.fullmatch("[0-9a-f]{64}", value[kind]):
        return "sha256 is not 64 hexadecimal digits"
    return ""
