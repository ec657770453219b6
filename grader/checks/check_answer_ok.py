"""Line answer-ok."""

import json
from collections.abc import Callable, Mapping

from grader.support.calling import why
from labkit.grading.api import Answer, Behaviour, Lab
from labkit.grading.judging.clues import next_thing

_RESULT = (
    "success", "message", "image_id", "s3_location", "file_size", "file_extension", "timestamp", "server_ms",
)  # fmt: skip

#: a host that takes its time is no error: the client waits for the server, which waits for the host
_SLOW = Behaviour(delay=2.0)
_SHAPES: Mapping[str, Callable[[str], Mapping[str, object]]] = {
    "the image URL itself": lambda url: {"image_url": url},
    "as API Gateway sends it": lambda url: {"httpMethod": "POST", "body": json.dumps({"image_url": url})},
}


def check(lab: Lab) -> None:
    """Your function answers a good event, in both shapes, with 200 and the server's result as JSON text.

    API Gateway takes text in "body" and nothing else; a dict there is a 502 for every client.
    """
    for shape, event in _SHAPES.items():
        data = lab.images.make("png", lab.random.randint(500, 9000))
        url = lab.images.publish(data, behaviour=_SLOW if "httpMethod" in event("") else None)
        answer = lab.function.invoke(event(url))
        wrong = _wrong(answer, len(data))
        if wrong:
            raise why(answer)(
                f"{wrong} (event: {shape})", hint=next_thing(wrong, "gaps lambda-call and lambda-answers: status, text, result"),
                expected='200, "body" with message, lambda_ec2_call_time_ms and result', found=answer.text,
            )  # fmt: skip


def _wrong(answer: Answer, size: int) -> str:
    """What is not as it should be, "" for nothing."""
    if answer.problem or answer.status != 200:
        return _failure(answer)
    if not str(answer.body.get("message", "")).strip():
        return "there is no message"
    if not isinstance(answer.body.get("result"), Mapping):
        return "result is not what the server answered"
    missing = [name for name in _RESULT if name not in answer.result]
    if missing:
        return f"result lacks {', '.join(missing)}"
    if answer.result["success"] is not True or answer.result["file_size"] != size:
        return "result is not about this image"
    return _wrong_time(answer)


def _failure(answer: Answer) -> str:
    if answer.error or answer.refused:
        return f"your function failed: {answer.error or answer.refused}"
    return (
        f"the answer can't be read: {answer.problem}"
        if answer.problem
        else f"the status is {answer.status}: {answer.text}"
    )


def _wrong_time(answer: Answer) -> str:
    time = answer.body.get("lambda_ec2_call_time_ms")
    if not isinstance(time, int | float) or isinstance(time, bool):
        return "lambda_ec2_call_time_ms is no number"
    inside = answer.result["server_ms"]
    least = inside * 0.5 if isinstance(inside, int | float) else 0
    if not least < time < answer.seconds * 1000 + 1:
        return "lambda_ec2_call_time_ms can't be: milliseconds from before the call to after it"
    return ""
