"""Where the next page of a list begins: the tokens that answers give and take, and EC2's limits of a page.

What belongs here: the tokens' form, AWS's words about limits. What does not: which lists are cut, and where.
"""

import base64
import binascii

from labkit.base.text import whole

UNKNOWN_TO_EC2 = "Unable to parse pagination token"


def token(operation: str, start: int) -> str:
    """The token with which the next page of this operation's list begins at item `start`."""
    return base64.urlsafe_b64encode(f"{operation}:{start}".encode()).decode()


def start_of(operation: str, token: str) -> int | None:
    """The item at which that page begins; None for a token that was given for no list of this operation."""
    try:
        of, _, start = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    number = whole(start) if of == operation else None
    return number if number is not None and number >= 0 else None


def ec2_limit(most: int, low: int, high: int) -> str:
    """EC2's words for a MaxResults that is not from `low` to `high`; "" for one that is."""
    if low <= most <= high:
        return ""
    relation, bound = ("greater", low) if most < low else ("less", high)
    return f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value {relation} than or equal to {bound}."
