"""Line nothing-else-open."""

from collections.abc import Mapping
from typing import Literal

from grader.support.doors import doors
from labkit.grading.api import Failed, Lab

#: ports that people open and forget: SSH, HTTP, HTTPS, databases, remote desktop, Flask's own
_USUAL = (22, 80, 443, 3306, 3389, 5000, 8080)
_HINT = "take the rule away; to look inside:  ./lab shell server"

_WHO: Mapping[Literal["world", "stranger"], str] = {"world": "the world", "stranger": "your whole network"}


def check(lab: Lab) -> None:
    """No SSH, and no other way in than your function's to your port.

    Whoever scans the internet finds an open port 22 within minutes; Session Manager needs none.
    """
    live(lab)
    _try(lab)


def live(lab: Lab) -> None:
    """No rule of your server's groups lets in anything but your function to your port."""
    found = doors(lab)
    others = found.beside(lab.variant.port)
    if others:
        raise Failed(
            f"there is another way into your server than your function's to your port: {others[0].words}",
            hint=_HINT, expected="no other rule", found=", ".join(each.words for each in others),
            evidence=[each.words for each in found.all], final=True,
        )  # fmt: skip


def _try(lab: Lab) -> None:
    ports = sorted({*_USUAL, *lab.random.sample(range(1024, 65535), 2)} - {lab.variant.port})
    tries = {who: lab.packets.try_each(who, ports) for who in _WHO}
    for port, *packets in zip(ports, *tries.values(), strict=True):
        for who, packet in zip(tries, packets, strict=True):
            if packet.outcome != "dropped":
                raise Failed(
                    f"port {port} of your server is open to {_WHO[who]}", hint=_HINT,
                    expected="dropped", found="the packet arrived", evidence=packet.trace, final=True,
                )  # fmt: skip
