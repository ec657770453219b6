"""Processes are seen as the kernel knows them, and ended from outside."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.base.errors import CloudError
from labkit.cloud.server import looking

_CHILD = """
import os, socket, sys
s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()
"""


@pytest.fixture
def child() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "COLOUR": "red"},
    )  # fmt: skip
    with process:
        yield process
        process.kill()


@pytest.mark.processes
def test_command_environment_and_ports(child: "subprocess.Popen[str]") -> None:
    assert child.stdout is not None
    port = int(child.stdout.readline())
    found = {program.pid: program for program in looking.programs(os.getpid())}[child.pid]
    assert found.command[1] == "-c"
    assert found.environment["COLOUR"] == "red"
    assert found.listens == (port,)


@pytest.mark.processes
@pytest.mark.parametrize(("address", "is_ipv6"), [("::", True), ("::ffff:127.0.0.1", False)])
def test_ports_of_ipv6_stand_apart_but_for_addresses_of_ipv4(address: str, is_ipv6: bool) -> None:
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, 0))
        listener.listen()
        port = (listener.getsockname()[1],)
        os.set_inheritable(listener.fileno(), True)
        with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
            found = {program.pid: program for program in looking.programs(os.getpid())}[child.pid]
            child.kill()
    assert (found.listens, found.listens_ipv6) == (((), port) if is_ipv6 else (port, ()))


@pytest.mark.processes
def test_killing_waits_for_the_end(child: "subprocess.Popen[str]") -> None:
    assert child.stdout is not None
    port = int(child.stdout.readline())
    assert looking.kill(os.getpid(), child.pid)
    assert child.wait() == -9
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.processes
def test_only_what_is_below_is_ended(child: "subprocess.Popen[str]") -> None:
    assert not looking.kill(child.pid, 1)
    assert not looking.kill(child.pid, os.getpid())
    assert not looking.kill(0, os.getpid())


def test_nothing_runs_below_nobody() -> None:
    assert looking.programs(0) == []


def test_where_processes_are_hidden_it_says_so_rather_than_nothing(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="does not show"):
        looking.programs(os.getpid(), proc=str(tmp_path))
