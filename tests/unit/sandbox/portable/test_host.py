"""Portable sandboxes as plain processes: starting, ending, limits, and what they are shown."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.base.errors import SandboxError
from labkit.sandbox.capture import run
from labkit.sandbox.portable.host import PortableHost
from labkit.sandbox.spec import Bind, Limits, SandboxSpec

pytestmark = pytest.mark.processes

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module", params=["fork", "spawn"])
def host(request: pytest.FixtureRequest) -> Iterator[PortableHost]:
    with PortableHost.open(landlock=False, forks=request.param == "fork") as opened:
        yield opened


def shell(script: str, **fields: object) -> SandboxSpec:
    limits = Limits(memory_mb=256, processes=500)
    return SandboxSpec("s", ("/bin/sh", "-c", script), env=ENVIRONMENT, limits=limits, **fields)  # type: ignore[arg-type]


@pytest.mark.processes
def test_a_command_s_output_and_status_come_back(host: PortableHost) -> None:
    done = run(host, shell("echo out; echo err >&2; exit 7"), seconds=10)
    assert (done.code, done.reason, done.output, done.errors) == (7, "exit", b"out\n", b"err\n")


def test_a_missing_command_and_a_missing_source_are_errors(host: PortableHost) -> None:
    with pytest.raises(SandboxError, match="/no/such"):
        host.start(SandboxSpec("s", ("/no/such",), env=ENVIRONMENT))
    with pytest.raises(SandboxError, match="/no/such"):
        host.start(shell("true", binds=(Bind("/no/such", "/opt/x"),)))


def test_its_files_are_its_own_and_are_gone_with_it(host: PortableHost, tmp_path: Path) -> None:
    (tmp_path / "code.txt").write_text("given")
    done = run(
        host,
        shell("cat /opt/code/code.txt /etc/x; echo kept > /tmp/x; ls /tmp", binds=(Bind(str(tmp_path), "/opt/code"),),
              files={"/etc/x": "text\n"}),
        seconds=10,
    )  # fmt: skip
    assert done.output == b"giventext\nx\n"
    assert run(host, shell("ls /tmp"), seconds=10).output == b""


def test_a_disk_stays_until_it_is_removed(host: PortableHost) -> None:
    host.make_disk("d", size_mb=1, files=10)
    with pytest.raises(SandboxError):
        host.make_disk("d", size_mb=1, files=10)
    run(host, shell("echo x > /opt/x; echo y > /tmp/y", disk="d"), seconds=10)
    assert run(host, shell("cat /opt/x; ls /tmp", disk="d"), seconds=10).output == b"x\n"
    host.remove_disk("d")
    with pytest.raises(SandboxError):
        host.start(shell("true", disk="d"))


def test_killing_ends_everything_below_it(host: PortableHost, until: Callable[..., None]) -> None:
    sandbox = host.start(shell("sleep 1234 & (sleep 1234 &) ; sleep 1234"))
    until(lambda: _running("sleep\x001234") == 3)
    sandbox.kill()
    assert sandbox.wait(10) == -9
    assert sandbox.ended_by == "killed"
    until(lambda: _running("sleep\x001234") == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans go to the system")
def test_what_it_left_behind_ends_with_it(host: PortableHost, until: Callable[..., None]) -> None:
    done = run(host, shell("(setsid sleep 1235 >/dev/null 2>&1 &)"), seconds=10)
    assert done.code == 0
    until(lambda: _running("sleep\x001235") == 0)


def test_more_memory_than_its_limit_ends_it(host: PortableHost) -> None:
    code = "x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(9)"
    spec = SandboxSpec("s", (sys.executable, "-I", "-c", code), env=ENVIRONMENT, limits=Limits(memory_mb=128))
    assert run(host, spec, seconds=10).reason == "memory"


@pytest.mark.processes
def test_closing_the_host_ends_everything_and_leaves_no_file() -> None:
    with PortableHost.open(landlock=False) as host:
        place = run(host, shell("pwd"), seconds=10).output.decode().strip()
        sandbox = host.start(shell("sleep 1236"))
        began = time.monotonic()
    assert sandbox.wait(10) == -9
    assert time.monotonic() - began < 10
    assert _running("sleep\x001236") == 0
    base = Path(place).parents[1]
    assert base.name.startswith("lab")
    assert not base.exists()


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="sandboxes are users of their own for root only")
def test_a_temporary_folder_of_root_alone_is_no_place_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As libpam-tmpdir gives one to every user: TMPDIR is a folder that nobody else may enter."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with PortableHost.open(landlock=False) as host:
        place = run(host, shell("pwd"), seconds=10).output.decode()
    assert place.startswith("/")
    assert not place.startswith(str(tmp_path))


def _running(text: str) -> int:
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes().decode(errors="replace").startswith(text)
        except OSError:
            continue
    return found
