"""Line door-open."""

from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """A packet from your function's group arrives at your own port.

    Without this rule every call ends in a time-out: silence means dropped, a refusal would have arrived.
    """
    packet = lab.packets.try_("function", lab.variant.port)
    if packet.outcome == "dropped":
        raise Failed(
            f"the packet from your function to port {lab.variant.port} was dropped: {packet.reason}",
            hint="gap server-door: which port, and from whom? Which group does your function belong to?",
            expected=f"tcp {lab.variant.port} from the function's group", found=packet.reason or "dropped",
            evidence=packet.trace,
        )  # fmt: skip
