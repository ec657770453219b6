"""Machines that refuse a part: imitated in a child, by a filter or by an own user namespace's settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.sandbox import stages
from labkit.sandbox.probe import probe

ROOT = Path(__file__).resolve().parents[3]

PROBE = """
import json
from labkit.base.errors import SandboxUnavailable
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.probe import probe
verdict = probe()
raised = ""
try:
    SandboxHost.open().close()
except SandboxUnavailable as error:
    raised = error.message + " | " + error.hint
print(json.dumps([verdict.ok, dict(verdict.tried), verdict.reason, verdict.fix, raised]))
"""

# Answers EPERM to one system call, as a container's filter does.
DENY = """
import struct
from labkit.sandbox.kernel import syscalls
op = lambda code, value, yes=0, no=0: struct.pack("HBBI", code, yes, no, value)
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
syscalls.install_filter(
    op(0x20, 0) + op(0x15, {number}, 0, 1) + op(0x06, 0x50001) + op(0x06, 0x7FFF0000))
"""

# An own user namespace in which no further one may be made.
NO_MORE_NAMESPACES = """
from labkit.sandbox.kernel import namespaces
namespaces.own_user_namespace(0)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
"""


def probed_after(prelude: str) -> tuple[bool, dict[str, str], str, str, str]:
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{prelude}\n{PROBE}"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    ok, tried, reason, fix, raised = json.loads(done.stdout)
    return ok, tried, reason, fix, raised


@pytest.mark.processes
def test_a_machine_that_allows_it() -> None:
    verdict = probe()
    assert verdict.ok, verdict
    assert dict(verdict.tried) == dict.fromkeys(stages.ALL, "ok")
    assert (verdict.reason, verdict.fix) == ("", "")


@pytest.mark.processes
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are of x86_64")
@pytest.mark.parametrize(
    ("number", "stage"), [(272, stages.OWNER), (165, stages.MOUNTS), (155, stages.FILES), (308, "")]
)
def test_a_refused_system_call_names_the_part(number: int, stage: str) -> None:
    """unshare, mount, pivot_root, setns."""
    ok, tried, reason, fix, raised = probed_after(DENY.format(number=number))
    assert not ok
    refused = [part for part, result in tried.items() if result not in ("ok", "not tried")]
    assert len(refused) == 1
    assert stage in ("", refused[0])
    assert refused[0] in reason
    assert "Operation not permitted" in reason
    assert fix
    assert refused[0] in raised
    assert fix in raised


@pytest.mark.processes
def test_no_more_user_namespaces() -> None:
    ok, tried, reason, fix, raised = probed_after(NO_MORE_NAMESPACES)
    assert not ok
    assert "No space left" in tried[stages.OWNER]
    assert set(list(tried.values())[1:]) == {"not tried"}
    assert "user.max_user_namespaces is 0" in reason
    assert fix == "Run: sudo sysctl -w user.max_user_namespaces=15000"
    assert fix in raised
