"""Line dead-server-504."""

from grader.support.calling import nobody, why
from labkit.grading.api import Answer, Failed, Lab
from labkit.grading.judging.clues import next_thing

#: really waits: 5 s to connect, and more where something is wrong
SLOW = True
#: no longer than this, whatever the function's own limit: four attempts of 5 s can be told from "for ever"
_LIMIT = 25
_SOON = 8.0
_HINT = "gap lambda-call: how long may it take to connect? gap lambda-answers: what if nobody answers?"
_STATUSES = ("status 200", "status 400", "status 404", "status 500", "status 501", "status 502", "status 503")


def check(lab: Lab) -> None:
    """A server that is not there is answered with 504, after one attempt, in under 8 seconds.

    urllib3 tries four times by default: your 5 s become 20, and the client has gone home.
    """
    variables = {**lab.function.environment, "EC2_FLASK_URL": nobody(lab)}
    own = int(lab.function.configuration["Timeout"])
    url = lab.images.publish(lab.images.make("png", lab.random.randint(500, 5000)))
    with lab.function.changed(Environment={"Variables": variables}, Timeout=min(own, _LIMIT)):
        answer = lab.function.invoke({"image_url": url}, seconds=_LIMIT + 5)
    if answer.status != 504 or answer.problem:
        raise why(answer)(
            f"with nobody at the server's address your function gave {_kind(answer)}: {answer.text}",
            hint=next_thing(answer.error, _HINT),
            expected="504 in under 8 s", found=answer.text,
        )  # fmt: skip
    if answer.seconds > _SOON:
        raise Failed(
            "504, but only after more than 8 s", fraction=2 / 3,
            hint="gap lambda-call: how many attempts does urllib3 make by itself?",
            expected="one attempt, under 8 s", found="over 8 s",
        )  # fmt: skip


def _kind(answer: Answer) -> str:
    if answer.error or answer.refused:
        return "an error"
    if answer.problem:
        return "no answer that a client can read"
    return next((each for each in _STATUSES if each.endswith(str(answer.status))), "another status")
