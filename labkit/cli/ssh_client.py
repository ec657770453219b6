"""ssh, scp and sftp of this machine for the shell of the local cloud: they go through its proxy.

What belongs here: the three commands and their configuration, in the kit's own folder. What does not: the person's own
~/.ssh, which is neither read nor written; the way itself (tunnel).
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from labkit.base import state
from labkit.cli import tunnel

_COMMAND = """#!/bin/sh
exec {program}{old} -F {configuration} "$@"
"""
# Addresses are given out again to other instances: nothing is remembered of whom was met there.
_CONFIGURATION = """Host *
    ProxyCommand {python} -I {tunnel} %h %p
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""


def install(folder: Path) -> None:
    """Write those commands that this machine has into `folder`, for the front of a PATH."""
    configuration = folder / "ssh_config"
    python, program = shlex.quote(sys.executable), shlex.quote(tunnel.__file__)
    state.write_text(configuration, _CONFIGURATION.format(python=python, tunnel=program), mode=0o600)
    for name in ("ssh", "scp", "sftp"):
        if found := shutil.which(name):
            old = " -O" if name == "scp" and _can_do_without_sftp(found) else ""
            words = {
                "old": old,
                "program": shlex.quote(found),
                "configuration": shlex.quote(str(configuration)),
            }
            state.write_text(folder / name, _COMMAND.format(**words), mode=0o755)


def _can_do_without_sftp(scp: str) -> bool:
    """Whether it has to be told to (OpenSSH 9): instances have no server of SFTP. Older ones know no other way."""
    said = subprocess.run([scp, "-O"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return "option --" not in said.stderr
