"""Line nothing-else-open."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from labkit.grading.api import Failed, Lab

#: ports that people open and forget: SSH, HTTP, HTTPS, Flask's own, remote desktop, databases
_USUAL = (22, 80, 443, 3306, 3389, 5000, 8080)

_WHO: Mapping[Literal["world", "stranger"], str] = {"world": "the world", "stranger": "your whole network"}


def check(lab: Lab) -> None:
    """No SSH, and no other way in than your function's to your port.

    Whoever scans the internet finds an open port 22 within minutes; Session Manager needs none.
    """
    tries = [(who, port) for port in _ports(lab) for who in _WHO]
    with ThreadPoolExecutor(max_workers=6) as pool:  # silence takes its time: waited for side by side
        packets = list(pool.map(lambda one: lab.packets.try_(*one), tries))
    for (who, port), packet in zip(tries, packets, strict=True):
        if packet.outcome != "dropped":
            raise Failed(
                f"port {port} of your server is open to {_WHO[who]}",
                hint="take the rule away; to look inside:  ./lab shell server",
                expected="dropped", found="the packet arrived", evidence=packet.trace,
            )  # fmt: skip


def _ports(lab: Lab) -> list[int]:
    """The usual ones, the ends of every range that a rule opens, and two that nobody expects."""
    some = {*_USUAL, *_opened(lab), *lab.random.sample(range(1024, 65535), 2)}
    return sorted(some - {lab.variant.port})


def _opened(lab: Lab) -> Iterator[int]:
    groups = [group["GroupId"] for group in lab.server.description["SecurityGroups"]]
    for group in lab.clients.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]:
        for rule in group["IpPermissions"]:
            first, last = rule.get("FromPort", 1), rule.get("ToPort", 65535)
            yield from (port for port in {first, last, (first + last) // 2} if 0 < port < 65536)
