"""Line door-narrow."""

from labkit.grading.api import Failed, Lab, Packet


def check(lab: Lab) -> None:
    """Nobody but your function reaches your port: not a stranger in your network, not the world.

    A group as source names the function wherever it stands; an address range lets in whoever gets an address.
    """
    if not _rules(lab):
        raise Failed(
            "your server's door has no rule at all: nothing is narrow where nobody gets in",
            hint="gap server-door", expected="one rule, for the function's group", found="no rule",
        )  # fmt: skip
    world, stranger = (lab.packets.try_(who, lab.variant.port) for who in ("world", "stranger"))
    if world.outcome != "dropped":
        raise _failed(lab, "the world reaches", world, 0.0)
    if stranger.outcome != "dropped":
        raise _failed(lab, "a stranger in your network reaches", stranger, 1 / 3)


def _rules(lab: Lab) -> bool:
    groups = [group["GroupId"] for group in lab.server.description["SecurityGroups"]]
    found = lab.clients.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    return any(group["IpPermissions"] for group in found)


def _failed(lab: Lab, who: str, packet: Packet, fraction: float) -> Failed:
    return Failed(
        f"{who} your port {lab.variant.port}", fraction=fraction,
        hint="gap server-door: name the function's group as source, not an address range",
        expected="dropped", found="the packet arrived", evidence=packet.trace,
    )  # fmt: skip
