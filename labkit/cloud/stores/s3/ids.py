"""Ids of versions and uploads: unguessable, and with the place of what they name.

So that a listing goes on behind a version that has been deleted meanwhile.

What belongs here: making them and reading the place. What does not: anything they name.
"""

import re
import secrets

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_."
_PLACE = 8
_FORM = re.compile(r"[A-Za-z0-9._]{32,}").fullmatch


def ordered_id(number: int, length: int) -> str:
    """An id of this length (a multiple of 4, 32 or more) whose end tells the number."""
    start = secrets.token_urlsafe((length - _PLACE) * 3 // 4).replace("-", ".")
    return start + "".join(_DIGITS[number >> 6 * place & 63] for place in reversed(range(_PLACE)))


def place_of(text: str) -> int | None:
    """The number in an id; None for what is none."""
    if not _FORM(text):
        return None
    number = 0
    for each in text[-_PLACE:]:
        number = number << 6 | _DIGITS.index(each)
    return number
