"""Files onto a sandbox's disk and back, whatever lies there."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from labkit.base.errors import SandboxError
from labkit.sandbox import exchange
from labkit.sandbox.capture import run
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.spec import Limits, SandboxSpec

LIMITS = Limits(disk_mb=2, files=200)
SPEC = SandboxSpec(name="x", disk="d", disk_paths=("/lab",), cwd="/lab", limits=LIMITS)


@pytest.fixture
def spec(host: SandboxHost) -> Iterator[SandboxSpec]:
    host.make_disk("d", size_mb=2, files=200)
    yield SPEC
    host.remove_disk("d")


def shell(host: SandboxHost, script: str) -> None:
    done = run(host, replace(SPEC, command=("/bin/sh", "-c", script)), seconds=20)
    assert done.code == 0, done.errors


@pytest.mark.processes
def test_the_folder_holds_what_was_given_and_what_is_kept(host: SandboxHost, spec: SandboxSpec) -> None:
    exchange.fill(host, spec, {"a": b"1", "b/c": b"\x00\xff", "old/er": b"x"})
    shell(host, "mkdir kept; echo 2 > kept/y; ln -s / out; mkdir -m 0 shut; mkfifo pipe")
    exchange.fill(host, spec, {"b/c": b"3"}, kept=("kept",))
    found = exchange.fetch(host, spec, ["a", "b/c", "old/er", "kept/y", "out", "pipe"], 1000)
    assert found == {"b/c": b"3", "kept/y": b"2\n"}


def test_links_pipes_folders_and_large_files_are_none(host: SandboxHost, spec: SandboxSpec) -> None:
    shell(
        host,
        "ln -s /etc/passwd link; mkfifo pipe; mkdir folder; head -c 2000 /dev/zero > large; echo x > small",
    )
    names = ["link", "pipe", "folder", "large", "small", "/etc/passwd/x", "nothing"]
    assert exchange.fetch(host, spec, names, 1000) == {"small": b"x\n"}


def test_together_they_are_no_larger_than_asked(host: SandboxHost, spec: SandboxSpec) -> None:
    shell(host, "for n in 1 2 3; do head -c 400 /dev/zero > $n; done")
    assert exchange.fetch(host, spec, ["1", "2", "3"], 1000).keys() == {"1", "2"}


def test_a_full_disk_is_told(host: SandboxHost, spec: SandboxSpec) -> None:
    with pytest.raises(SandboxError, match="No space left"):
        exchange.fill(host, spec, {"a": bytes(3 << 20)})


def test_a_bare_sandbox_has_what_is_bound_and_nothing_else(host: SandboxHost) -> None:
    code = "import os; print(os.listdir('/usr'), os.path.exists('/bin'), len(os.listdir('/etc')) < 9)"
    done = run(host, SandboxSpec(name="x", bare=True, entry="builtins:exec", arguments=code), seconds=20)  # type: ignore[arg-type]
    assert done.output == b"[] False True\n"
