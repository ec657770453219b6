"""AWS's description of S3's API, as botocore ships it: where each parameter stands, and what it may be.

What belongs here: looking shapes up. What does not: reading requests by them (reading), writing answers (writing).
"""

import functools
from collections.abc import Mapping
from typing import Any

from labkit.aws.services import descriptions

Shape = Mapping[str, Any]


@functools.cache
def model() -> Mapping[str, Any]:
    """The whole description."""
    return dict(descriptions().load_service_model("s3", "service-2"))


def shape(name: str) -> Shape:
    """A shape by its name."""
    found: Shape = model()["shapes"][name]
    return found


def operation(name: str) -> Mapping[str, Any]:
    """An operation by its name."""
    found: Mapping[str, Any] = model()["operations"][name]
    return found


def input_of(name: str) -> Shape:
    """What an operation takes."""
    known = operation(name).get("input")
    return shape(known["shape"]) if known else {"members": {}}


def output_of(name: str) -> Shape:
    """What an operation answers."""
    known = operation(name).get("output")
    return shape(known["shape"]) if known else {"members": {}}


def is_flat(known: Shape, member: Shape) -> bool:
    """Whether a list's entries stand side by side, without an element around them."""
    return bool(known.get("flattened") or member.get("flattened"))
