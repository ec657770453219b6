"""A sandbox host, shared by the tests of a module, and short ways to run something in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labkit.sandbox.capture import Finished, run
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.spec import SandboxSpec

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def host() -> Iterator[SandboxHost]:
    with SandboxHost.open() as host:
        yield host


@pytest.fixture
def shell(host: SandboxHost) -> Run:
    """Runs a shell command in a sandbox with the spec's fields as keywords."""

    def run_shell(script: str, *, seconds: float = 20, **fields: Any) -> Finished:
        fields.setdefault("env", ENV)
        spec = SandboxSpec(name="test", command=("/bin/sh", "-c", script), **fields)
        return run(host, spec, seconds=seconds)

    return run_shell


@pytest.fixture
def python(host: SandboxHost) -> Run:
    """Runs Python code in a forked, not exec'd, sandbox; the code prints what it finds."""

    def run_python(code: str, *, seconds: float = 20, **fields: Any) -> Finished:
        spec = SandboxSpec(name="test", entry="builtins:exec", arguments=code, **fields)
        return run(host, spec, seconds=seconds)

    return run_python
