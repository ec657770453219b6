"""Line path-health."""

from labkit.grading.api import Answer, Failed, Lab
from labkit.grading.judging.clues import next_thing


def check(lab: Lab) -> None:
    """Your function asks your server how it is, through your network, and it is healthy.

    Everything at once, as you handed it in: function, network, door, boot, service.
    """
    lab.server.boot()
    answer = lab.health()
    if answer.status != 200 or answer.result.get("status") != "healthy":
        trace = lab.packets.try_("function", lab.variant.port)
        raise Failed(
            f"the health call through your function gave {answer.text}", hint=_hint(answer, trace.outcome),
            expected='200 and "status": "healthy"', found=answer.text, evidence=trace.trace,
        )  # fmt: skip


def _hint(answer: Answer, outcome: str) -> str:
    if outcome == "dropped":
        return "the packet was dropped on its way: follow the hops in  ./lab wire"
    if answer.status == 504 and outcome == "refused":
        return "the packet arrived, and nobody listens there: is the service running, and on which address?"
    return next_thing(answer.text, "follow the hops:  ./lab wire")
