"""Line door-narrow."""

from grader.support.doors import Doors, doors, lets_in_the_world
from labkit.grading.api import Failed, Lab, Packet

_HINT = "gap server-door: name the function's group as source, not an address range"


def check(lab: Lab) -> None:
    """Nobody but your function reaches your port: not a stranger in your network, not the world.

    A group as source names the function wherever it stands; an address range lets in whoever gets an address.
    """
    found = doors(lab)
    if not found.all:
        raise Failed(
            "your server's door has no rule at all: nothing is narrow where nobody gets in",
            hint="gap server-door", expected="one rule, for the function's group", found="no rule",
        )  # fmt: skip
    _read(lab, found)
    world, stranger = (lab.packets.try_(who, lab.variant.port) for who in ("world", "stranger"))
    if world.outcome != "dropped":
        raise _reached(lab, "the world reaches", world, 0.0)
    if stranger.outcome != "dropped":
        raise _reached(lab, "a stranger in your network reaches", stranger, 1 / 3)


def _read(lab: Lab, found: Doors) -> None:
    wide = sorted(found.not_functions(lab.variant.port), key=lambda each: not lets_in_the_world(each))
    if not wide:
        return
    first, port = wide[0], lab.variant.port
    unknown = found.is_functions(first)
    why = " (it has no group of its own)" if unknown else ""
    raise Failed(
        f"your port {port} is open to others than your function{why}: {first.words}",
        hint="gap lambda-network: which group is the function's own?" if unknown else _HINT,
        fraction=0.0 if lets_in_the_world(first) else 1 / 3, final=not unknown,
        expected=f"tcp {port} from the function's group alone", found=", ".join(each.words for each in wide),
        evidence=[each.words for each in found.all],
    )  # fmt: skip


def _reached(lab: Lab, who: str, packet: Packet, fraction: float) -> Failed:
    return Failed(
        f"{who} your port {lab.variant.port}", fraction=fraction, hint=_HINT,
        expected="dropped", found="the packet arrived", evidence=packet.trace, final=True,
    )  # fmt: skip
