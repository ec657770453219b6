"""Line refusal-passes."""

import re

from grader.support.calling import why
from grader.support.rights import taken_away
from labkit.grading.api import Answer, Behaviour, Lab, lost

_SUCCESS = re.compile(r"success|processed|completed|\bok\b", re.IGNORECASE)


def check(lab: Lab) -> None:
    """When the server refuses, its status reaches the client, and no word of success stands beside it.

    Half of all programs look at the status, the other half at the message: both must say the same.
    """
    page = lab.images.publish(
        b"<h1>Not here</h1>", name=lab.unique("picture") + ".png", behaviour=Behaviour(status=404)
    )
    refused = lab.process(page)
    with taken_away(lab, "s3:PutObject", "dynamodb:PutItem"):
        failed = lab.process(lab.images.publish(lab.images.make("jpg", 700)))
    statuses = f"the server's 400 became {refused.text}; its 500 became {failed.text}"
    holding, missing = lost([
        (_passes(refused, 400) and _passes(failed, 500), statuses),
        _says_so(refused, failed),
    ])  # fmt: skip
    if holding < 1:
        raise why(refused)(
            missing, fraction=holding, hint="gap lambda-answers: the status of the server, and an error, no message",
            expected="400 and 500 with an error", found=f"{refused.text} and {failed.text}",
        )  # fmt: skip


def _passes(answer: Answer, status: int) -> bool:
    """Whether the client gets this status: API Gateway makes a 502 of a body that is no text."""
    return answer.status == status and isinstance(answer.value.get("body"), str)


def _says_so(*answers: Answer) -> tuple[bool, str]:
    """What stands beside the status is the JSON text of an error, without a word of success."""
    problem = next((answer.problem for answer in answers if answer.problem), "")
    if problem:
        return False, f"a refusal is no answer that a client can read: {problem}"
    return not any(map(_sounds_good, answers)), "a word of success stands beside an error"


def _sounds_good(answer: Answer) -> bool:
    """Whether the answer has a message or a flag of success."""
    if answer.status == 200 or answer.body.get("success") is True or answer.result.get("success") is True:
        return True
    return bool(_SUCCESS.search(str(answer.body.get("message", ""))))
