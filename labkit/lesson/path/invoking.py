"""Calling the student's Lambda function and reading its answer with care.

What belongs here: one invocation and what came back. What does not: judging it (the steps' checks).
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from labkit.base.errors import CloudError
from labkit.deploy.targets import Clients

_PAGE = re.compile(r"<!doctype html|<html", re.IGNORECASE)
#: what of a page is not read: a title stands there as heading, too
_HIDDEN = ("title", "script", "style")
#: the signature of a presigned URL is long, and whoever reads it may use it
_PRESIGNED = re.compile(r"\?X-Amz-[^\s'\")]+")


@dataclass(frozen=True)
class Answer:
    """What an invocation gave: the status in its answer, the parsed body, AWS's own error, seconds.

    `status` is 0 where the function gave no readable answer; `problem` then says what it gave.
    """

    status: int
    body: Mapping[str, Any]
    problem: str
    request_id: str
    seconds: float

    @property
    def message(self) -> str:
        """The reason in the answer's own words."""
        detail = self.body.get("result")
        inner = detail.get("error") if isinstance(detail, Mapping) else None
        said = self.body.get("error") or inner or self.body.get("message") or ""
        return _PRESIGNED.sub("?…", self.problem or _without_markup(str(said)))


class _Words(HTMLParser):
    """What of a page people read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found += data.split()


def _without_markup(text: str) -> str:
    """A page in `text`, as Flask answers what a program raises, told by its words."""
    page = _PAGE.search(text)
    if page is None:
        return text
    words = _Words()
    words.feed(text[page.start() :])
    return text[: page.start()] + " ".join(words.found)


def invoke(clients: Clients, function: str, event: Mapping[str, Any]) -> Answer:
    """Invoke `function` synchronously, waiting up to 70 s for its answer.

    What AWS itself refuses (no such function, too many requests) is an answer without a status. Raises CloudError where
    the cloud itself failed (5xx): that is nobody's code.
    """
    from botocore.exceptions import ClientError

    started = time.monotonic()
    api = clients.client("lambda", read_timeout=70)
    try:
        answer = _invoked(api, function, json.dumps(event).encode())
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            raise failed(str(error.response["Error"].get("Message", ""))) from error
        about, seconds = error.response["Error"], time.monotonic() - started
        return Answer(0, {}, f"{about['Code']}: {about['Message']}", "", seconds)
    payload = answer["Payload"].read()
    seconds = time.monotonic() - started
    request_id = answer["ResponseMetadata"].get("RequestId", "")
    status, body, problem = read_payload(payload, bool(answer.get("FunctionError")))
    return Answer(status, body, problem, request_id, seconds)


def _invoked(api: Any, function: str, payload: bytes) -> Any:
    """The answer; a function that is not Active yet (new, or left alone for weeks) is waited for.

    Lambda developer guide, "Lambda function states". Raises ClientError.
    """
    try:
        return api.invoke(FunctionName=function, Payload=payload)
    except api.exceptions.ResourceConflictException:
        api.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
        return api.invoke(FunctionName=function, Payload=payload)


def failed(said: str) -> CloudError:
    """The error for an answer 5xx of the cloud itself: nothing of the student's is to blame, and what mends it."""
    return CloudError(
        f"The local cloud itself failed, not your lab: {said.rstrip('.') or 'no reason given'}.",
        hint="Its own words:\n  ./lab cloud logs\nStart it again, with what stands in it:\n  ./lab cloud stop && ./lab wire\n"
        "If it stays so, a new one, and your lab in it; your files are untouched:\n  ./lab cloud stop --forget && ./lab deploy",
    )


def read_payload(payload: bytes, failed: bool) -> tuple[int, Mapping[str, Any], str]:
    """Status, parsed body and AWS's own error ("" for none) of what a function gave back."""
    try:
        value = json.loads(payload)
    except ValueError:
        return 0, {}, f"no JSON: {payload[:200]!r}"
    if failed and isinstance(value, dict):
        return 0, {}, f"{value.get('errorType', 'error')}: {value.get('errorMessage', '')}"
    if not isinstance(value, dict) or not isinstance(value.get("statusCode"), int):
        return 0, {}, f"no statusCode in {json.dumps(value)[:200]}"
    body = value.get("body")
    if not isinstance(body, str):
        return 0, {}, f'"body" must be text, yours is {type(body).__name__}'
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = {"message": body}
    return value["statusCode"], parsed if isinstance(parsed, dict) else {"message": body}, ""
