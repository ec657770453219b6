"""A first process of the kit's own kind (an instance's process 1), with an attack beside it. Standard library only."""

import os
import signal
import sys


def main(arguments):
    """Start the attack and wait for it, as process 1 waits for what it starts."""
    signal.signal(
        signal.SIGINT, lambda *_: None
    )  # as process 1 of an instance, which has its own meaning of it
    command = arguments["command"]
    pid = os.posix_spawn(command[0], command, dict(os.environ))
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
