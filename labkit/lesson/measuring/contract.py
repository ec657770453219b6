"""The error contract: ten ways in which a call can go wrong, and the status that each must have.

What belongs here: the cases and their judgement. What does not: what the student's code looks like.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.lesson.path.invoking import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: a dead server must be noticed within this time: one attempt, 5 s to connect
DEAD_SECONDS = 8.0


@dataclass(frozen=True)
class Case:
    """One call: what it is, the event, the status that it must have."""

    name: str
    event: Any
    status: int


def cases(page: str, good: str) -> tuple[Case, ...]:
    """The calls that need no change of the system; `page` is a URL of text, `good` one of an image."""
    return (
        Case("no URL at all", {}, 400),
        Case("the URL is null", {"image_url": None}, 400),
        Case("the URL is a number", {"image_url": 7}, 400),
        Case("the URL is empty", {"image_url": "  "}, 400),
        Case("a body that is no JSON", {"body": '{"image_url": '}, 400),
        Case("a body without a URL", {"body": "{}"}, 400),
        Case("a URL that is no http", {"image_url": "file:///etc/passwd"}, 400),
        Case("a web page, not an image", {"image_url": page}, 400),
        Case("a good image, as a body", {"body": f'{{"image_url": "{good}"}}'}, 200),
    )


def wrong(case: Case, answer: Answer) -> str:
    """What is wrong with the answer; "" when nothing is."""
    if answer.problem:
        return f"status {case.status} was needed; {answer.problem}"
    if answer.status != case.status:
        return f"status {answer.status}, must be {case.status}"
    succeeded = "message" in answer.body and "error" not in answer.body
    if case.status != 200 and succeeded:
        return f"status {answer.status}, and a success message beside it"
    return ""


@contextmanager
def other_server(clients: Any, function: str, url: str | None) -> "Iterator[None]":
    """While the body runs, the function's EC2_FLASK_URL is `url`, or missing; afterwards it is as before."""
    api = clients.client("lambda")
    before = api.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    changed = {k: v for k, v in before.items() if k != "EC2_FLASK_URL"} | (
        {"EC2_FLASK_URL": url} if url else {}
    )
    _configure(api, function, changed)
    try:
        yield
    finally:
        _configure(api, function, before)


def _configure(api: Any, function: str, variables: Mapping[str, str]) -> None:
    api.update_function_configuration(FunctionName=function, Environment={"Variables": dict(variables)})
    api.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})


def dead(call: Callable[[], Answer]) -> str:
    """What is wrong with the answer to a call whose server is not there; "" when nothing is."""
    answer = call()
    if answer.status != 504:
        return f"{answer.problem or f'status {answer.status}'}, must be 504"
    if answer.seconds > DEAD_SECONDS:
        return f"504 only after {answer.seconds:.0f} s: more than one attempt"
    return ""
