"""The programs `httpd` and `apachectl`: testing, starting, signalling."""
# ruff: noqa: T201

import os
import signal
import sys
from collections.abc import Sequence

from ..running import Program, Running, signal_running
from . import VERSION
from .settings import understand
from .syntax import Mistake, read

CONFIGURATION = "/etc/httpd/conf/httpd.conf"
_SIGNALS = {
    "stop": signal.SIGTERM,
    "graceful-stop": signal.SIGWINCH,
    "graceful": signal.SIGUSR1,
    "restart": signal.SIGUSR1,
}


def main(words: Sequence[str]) -> int:
    """Do what the command line says; returns httpd's exit status."""
    path = words[words.index("-f") + 1] if "-f" in words else CONFIGURATION
    if "-v" in words or "-V" in words:
        print(f"Server version: {VERSION}")
        return 0
    program = Program(
        "httpd", "/run/httpd/httpd.pid", signal.SIGUSR1, lambda: understand(read(path)), Mistake, "{mistake}"
    )
    try:
        site = program.read()
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    verb = next((word for word in words if word in _SIGNALS), "")
    if verb:
        return signal_running(program, _SIGNALS[verb])
    if "-t" in words or "configtest" in words:
        print("Syntax OK", file=sys.stderr)
        return 0
    if "-S" in words:
        for server in site.servers:
            print(
                "\n".join(
                    f"*:{port}  {' '.join(server.names) or 'localhost'}" for _, port, _ in server.listens
                )
            )
        return 0
    os.makedirs("/var/log/httpd", exist_ok=True)
    return Running(program, site).run(foreground="-DFOREGROUND" in words)
