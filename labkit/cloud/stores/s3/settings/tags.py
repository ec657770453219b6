"""Tags of objects and buckets.

What belongs here: their rules. What does not: where they are kept. S3 user guide: "Categorizing your storage using tags".
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument

Tag = dict[str, str]
#: tags of an object, and of a bucket
OF_OBJECT, OF_BUCKET = 10, 50
_LETTERS = re.compile(r"[\w\s+\-=.:/@]*", re.UNICODE).fullmatch


def from_header(text: str) -> list[Tag]:
    """The tags of x-amz-tagging, in the form of a query. Raises S3Error for what is none."""
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    if len(dict(pairs)) < len(pairs):
        words = (
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without "
            "tag name duplicates."
        )
        raise invalid_argument(words, "x-amz-tagging", text)
    return check([{"Key": key, "Value": value} for key, value in pairs], OF_OBJECT)


def check(tags: Sequence[Any], most: int) -> list[Tag]:
    """The tags, as they are kept. Raises S3Error for tags that break the rules."""
    if len(tags) > most:
        what = "Object tags" if most == OF_OBJECT else "Bucket tag count"
        raise S3Error("BadRequest", f"{what} cannot be greater than {most}")
    names = [str(tag["Key"]) for tag in tags]
    for tag in tags:
        key, value = str(tag["Key"]), str(tag["Value"])
        if not 1 <= len(key) <= 128 or not _LETTERS(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", details={"TagKey": key})
        if len(value) > 256 or not _LETTERS(value):
            details = {"TagKey": key, "TagValue": value}
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", details=details)
        if key.lower().startswith("aws:"):
            words = "System tags cannot be added/updated by requester"
            raise S3Error("InvalidTag", words, details={"TagKey": key})
    if len(set(names)) < len(names):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return [{"Key": str(tag["Key"]), "Value": str(tag["Value"])} for tag in tags]
