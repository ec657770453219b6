"""The program `nginx`: testing, starting, signalling."""
# ruff: noqa: T201

import os
import signal
import sys
from collections.abc import Sequence

from ..running import Program, Running, signal_running
from . import VERSION
from .settings import understand
from .syntax import Mistake, read

PID = "/run/nginx.pid"
CONFIGURATION = "/etc/nginx/nginx.conf"
_SIGNALS = {"stop": signal.SIGTERM, "quit": signal.SIGQUIT, "reload": signal.SIGHUP, "reopen": signal.SIGUSR1}


def main(words: Sequence[str]) -> int:
    """Do what the command line says; returns nginx's exit status."""
    path = words[words.index("-c") + 1] if "-c" in words else CONFIGURATION
    if "-v" in words or "-V" in words:
        print(f"nginx version: nginx/{VERSION}", file=sys.stderr)
        return 0
    program = Program("nginx", PID, signal.SIGHUP, lambda: understand(read(path)), Mistake)
    try:
        site = program.read()
    except Mistake as mistake:
        print(f"nginx: [emerg] {mistake}", file=sys.stderr)
        if "-t" in words:
            print(f"nginx: configuration file {path} test failed", file=sys.stderr)
        return 1
    if "-t" in words:
        print(f"nginx: the configuration file {path} syntax is ok", file=sys.stderr)
        print(f"nginx: configuration file {path} test is successful", file=sys.stderr)
        return 0
    if "-s" in words:
        return signal_running(program, _SIGNALS.get(words[words.index("-s") + 1], 0))
    os.makedirs("/var/log/nginx", exist_ok=True)
    foreground = any("daemon off" in word for word in words) or _stays(path)
    return Running(program, site).run(foreground=foreground)


def _stays(path: str) -> bool:
    return any(each.name == "daemon" and each.words == ["off"] for each in read(path))
