"""Descriptors of this process: how many may be open, and whether the other side of one has gone.

What belongs here: asking the kernel. What does not: what they are open for.
"""

import resource
import select
import socket

#: more are never of use here, and some systems refuse them
MOST = 65_536
#: a lab has about 50 open, each function environment 8
ENOUGH = 1_024


def raise_limit() -> int:
    """Let this process open as many as the machine lets it; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    for wanted in (most, 10_240):  # macOS promises more than it gives
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            continue
        break
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if soft == resource.RLIM_INFINITY else soft


def too_low(count: int) -> str:
    """What a limit of `count` means, in words; "" where it is enough."""
    if count >= ENOUGH:
        return ""
    return (
        f"descriptors: only {count} may be open at once (ulimit -Hn), enough for about {max(1, (count - 50) // 8)} "
        "function environments; more invocations at a time fail"
    )


def wait_hung_up(connection: socket.socket) -> None:
    """Return when the other side of the connection has gone; nothing is read."""
    poll = select.poll()
    poll.register(connection, select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0))
    poll.poll()
