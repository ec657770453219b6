"""Line dead-server-504."""

from grader.support.calling import nobody, why
from labkit.grading.api import Failed, Lab

#: really waits: 5 s to connect, and more where something is wrong
SLOW = True
#: no longer than this, whatever the function's own limit: four attempts of 5 s can be told from "for ever"
_LIMIT = 25
_SOON = 8.0


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
            f"with nobody at the server's address your function gave {answer.text}",
            hint="gap lambda-call: how long may it take to connect? gap lambda-answers: what if nobody answers?",
            expected="504 in under 8 s", found=answer.text,
        )  # fmt: skip
    if answer.seconds > _SOON:
        raise Failed(
            "504, but only after more than 8 s", fraction=2 / 3,
            hint="gap lambda-call: how many attempts does urllib3 make by itself?",
            expected="one attempt, under 8 s", found="over 8 s",
        )  # fmt: skip
