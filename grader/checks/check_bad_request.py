"""Line bad-request."""

import json
from collections.abc import Iterator

from grader.support.calling import nobody, why
from labkit.grading.api import Lab, lost

#: a function that calls nobody is done long before its 5 s to connect are over
_SOON = 4.0
_BAD: dict[str, tuple[object, ...]] = {
    "no image URL": ({}, {"body": "{}"}, {"image_url": ""}, {"url": "http://images.lab.example/a.png"}),
    "broken JSON": ({"body": '{"image_url": '}, {"body": ""}, {"body": "image"}),
    "null or a wrong type": (
        {"image_url": None}, {"image_url": 7}, {"image_url": ["x"]}, {"body": None}, {"body": "[1]"}, {"body": "null"},
        None, 7, "image", [], [{"image_url": "http://images.lab.example/a.png"}],
    ),
}  # fmt: skip


def check(lab: Lab) -> None:
    """A bad event is answered with 400 without calling the server; a function without its settings says 500.

    4xx: the client can mend it. 5xx: only you can. Clients decide by this whether to try again.
    """
    variables = dict(lab.function.environment)
    with lab.function.changed(Environment={"Variables": {**variables, "EC2_FLASK_URL": nobody(lab)}}):
        parts = list(_bad_events(lab))
    variables.pop("EC2_FLASK_URL", None)
    with lab.function.changed(Environment={"Variables": variables}):
        answer = lab.function.invoke({"image_url": "http://images.lab.example/a.png"})
    parts.append((answer.status == 500 and not answer.problem, f"EC2_FLASK_URL not set: {answer.text}"))
    holding, missing = lost(parts)
    if holding < 1:
        raise why(answer)(
            missing, fraction=holding, hint="gap lambda-answers: first the event, then the settings, then the call",
            expected="400 for each bad event, at once; 500 without EC2_FLASK_URL", found=missing,
        )  # fmt: skip


def _bad_events(lab: Lab) -> Iterator[tuple[bool, str]]:
    for what, events in _BAD.items():
        yield next(
            ((False, f"{what}: {wrong}") for event in events if (wrong := _wrong(lab, event))), (True, "")
        )


def _wrong(lab: Lab, event: object) -> str:
    answer = lab.function.invoke(event, seconds=20)
    told = f"the event {json.dumps(event)} gave "
    if answer.status != 400 or answer.problem:
        return told + answer.text
    return told + "400 only after calling the server" if answer.seconds > _SOON else ""
