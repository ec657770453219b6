"""Lists in pages where moto gives them whole: a limit is kept to, and a token leads on.

What belongs here: cutting an answer, and the tokens. What does not: lists that their service pages itself (the table
emulated.toml names those that are cut here).

AWS: each API reference's MaxResults and NextToken, MaxItems and Marker; botocore's paginators say which is which.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from labkit.aws import page_tokens
from labkit.aws.services import descriptions
from labkit.base.text import whole
from labkit.cloud.door import emulated, inputs
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused
from labkit.cloud.door.routes import botocore_name

_NO_TOKEN: Mapping[str, tuple[str, str]] = {
    "ec2": ("InvalidParameterValue", page_tokens.UNKNOWN_TO_EC2),
    "iam": ("ValidationError", "Invalid Marker."),
    "ssm": ("InvalidNextToken", "The specified token is not valid."),
    "logs": ("InvalidParameterException", "The specified nextToken is invalid."),
    "lambda": ("InvalidParameterValueException", "Invalid Marker."),
}


@dataclass(frozen=True)
class Page:
    """What is asked for of a list: items from `start`, at most `most` (0: all)."""

    start: int
    most: int
    result: str
    token: str
    more: str


def wanted(asked: Asked) -> Page | None:
    """The page that a request wants, None where its answer is not cut here. Raises Refused for no token of ours."""
    if asked.operation not in emulated.cut_here().get(asked.service, ()):
        return None
    names = _paginator(asked.service, asked.operation)
    given = inputs.given(asked)
    most, token = given.get(names["limit_key"]), given.get(names["input_token"])
    if most is None and token is None:
        return None
    most = max(whole(str(most)) or 0, 0)
    _check_limit(asked, names["limit_key"], most)
    start = _start_of(asked, str(token)) if token else 0
    return Page(start, most, names["result_key"], names["output_token"], names.get("more_results", ""))


def has_token(asked: Asked) -> bool:
    """Whether a request asks for a further page of a list."""
    return any(asked.parameters.get(name) for name in ("NextToken", "nextToken", "Marker"))


def no_token(service: str) -> Refused:
    """The refusal of a token that nobody gave out."""
    return Refused(400, *_NO_TOKEN.get(service, ("ValidationException", "The token is not valid.")))


def cut(asked: Asked, page: Page, body: bytes) -> bytes:
    """The answer with the items of its page alone."""
    if asked.wire in ("query", "ec2"):
        return _cut_xml(asked, page, body)
    answer = json.loads(body)
    items = answer.get(page.result) or []
    shown, following = _items(items, page)
    answer[page.result] = shown
    if following:
        answer[page.token] = page_tokens.token(asked.operation, following)
    return json.dumps(answer).encode()


def _cut_xml(asked: Asked, page: Page, body: bytes) -> bytes:
    root = ElementTree.fromstring(body)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    holder = root if asked.wire == "ec2" else next(iter(root))
    output = _output(asked.service, asked.operation)
    found = holder.find(space + _wire(output, page.result))
    if found is None:
        return body
    shown, following = _items(list(found), page)
    for item in list(found):
        if item not in shown:
            found.remove(item)
    if following:
        token = page_tokens.token(asked.operation, following)
        ElementTree.SubElement(holder, space + _wire(output, page.token)).text = token
    truncated = holder.find(space + page.more) if page.more else None
    if truncated is not None:
        truncated.text = str(bool(following)).lower()
    text: bytes = ElementTree.tostring(root, "utf-8", default_namespace=space.strip("{}") or None)
    return text


def _items(items: list[Any], page: Page) -> tuple[list[Any], int]:
    """What is shown, and where the next page begins, 0 for nowhere."""
    end = page.start + page.most if page.most else len(items)
    return items[page.start : end], end if end < len(items) else 0


def _start_of(asked: Asked, token: str) -> int:
    start = page_tokens.start_of(asked.operation, token)
    if start is None:
        raise no_token(asked.service)
    return start


def _check_limit(asked: Asked, name: str, most: int) -> None:
    """EC2's least and most; the other services' are checked with all values (constraints)."""
    if asked.service != "ec2" or not most:
        return
    known = inputs.operation("ec2", asked.operation)
    shape = known.shapes[known.shape["members"][name]["shape"]]
    if wrong := page_tokens.ec2_limit(most, shape.get("min", 5), shape.get("max", 1000)):
        raise Refused(400, "InvalidParameterValue", wrong)


@lru_cache(maxsize=256)
def _paginator(service: str, operation: str) -> Mapping[str, str]:
    found: Mapping[str, str] = descriptions().load_service_model(botocore_name(service), "paginators-1")[
        "pagination"
    ][operation]
    return found


@lru_cache(maxsize=256)
def _output(service: str, operation: str) -> Mapping[str, Any]:
    model = descriptions().load_service_model(botocore_name(service), "service-2")
    shape = model["operations"][operation]["output"]["shape"]
    members: Mapping[str, Any] = model["shapes"][shape]["members"]
    return members


def _wire(output: Mapping[str, Any], member: str) -> str:
    return str(output[member].get("locationName", member))
