"""Fakes of the parts around the function service: plain processes, loopback sockets, recorded logs.

A plain process has no root of its own, so /var/task stands for the folder with the code, and no network
of its own, so the Runtime API has a port that the kernel chose.
"""

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from labkit.aws.records import Caller, Credentials, FunctionRecord, InterfaceRecord
from labkit.cloud.functions.pool import PoolLimits
from labkit.cloud.functions.service import FunctionService
from labkit.sandbox.spec import Bind, SandboxSpec

ENTRY = """
import importlib, json, sys
module, _, name = sys.argv[1].partition(":")
getattr(importlib.import_module(module), name)(json.loads(sys.argv[2]))
"""
ARN = "arn:aws:lambda:ap-south-1:123456789012:function:f"


class PlainSandbox:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.listeners: Sequence[socket.socket] = ()
        self.pidfd = os.pidfd_open(process.pid)
        self.lock = threading.Lock()

    @property
    def pid(self) -> int:
        return self.process.pid

    def fileno(self) -> int:
        return self.pidfd

    def kill(self) -> None:
        with self.lock, contextlib.suppress(ProcessLookupError):
            if self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if self.pidfd >= 0 and timeout:
            os.close(self.pidfd)
            self.pidfd = -1
        return code

    def memory_bytes(self) -> int:
        with open(f"/proc/{self.pid}/statm") as file:
            _, resident, shared, *_ = (int(part) for part in file.read().split())
        return (resident - shared) * 4096


class LoopbackFabric:
    def __init__(self) -> None:
        self.interfaces: dict[str, InterfaceRecord] = {}
        self.runtime_api: dict[str, str] = {}

    def attach(
        self,
        interface: InterfaceRecord,
        *,
        loopback: Sequence[str] = (),
        listen: Sequence[tuple[str, int]] = (),
        datagrams: Sequence[tuple[str, int]] = (),
    ) -> list[socket.socket]:
        self.interfaces[interface.name] = interface
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in listen]
        self.runtime_api[interface.name] = f"127.0.0.1:{sockets[0].getsockname()[1]}"
        return sockets

    def address_of(self, name: str) -> str:
        return "127.0.0.1"

    def detach(self, name: str) -> None:
        del self.interfaces[name]

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        return socket.create_connection((address, port), timeout)


class PlainSandboxes:
    """`before` may raise, to be a machine that refuses."""

    def __init__(self, fabric: LoopbackFabric) -> None:
        self.fabric = fabric
        self.started: list[PlainSandbox] = []
        self.specs: list[SandboxSpec] = []
        self.error: Exception | None = None

    def start(
        self,
        spec: SandboxSpec,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        channel: int | None = None,
    ) -> PlainSandbox:
        if self.error:
            raise self.error
        self.specs.append(spec)
        task = spec.binds[0].source
        arguments = json.dumps({**spec.arguments, "task_root": task})
        env = {
            **spec.env,
            "AWS_LAMBDA_RUNTIME_API": self.fabric.runtime_api[spec.interface],
            "LAMBDA_TASK_ROOT": task,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, spec.entry, arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=task,
            env=env,
            start_new_session=True,
        )
        self.started.append(PlainSandbox(process))
        return self.started[-1]

    def make_disk(self, name: str, *, size_mb: int, files: int) -> None:
        raise NotImplementedError

    def remove_disk(self, name: str) -> None:
        raise NotImplementedError


class Keys:
    def __init__(self) -> None:
        self.issued: list[tuple[str, str]] = []
        self.seconds = 43_200.0

    def issue(self, role_arn: str, session_name: str, *, seconds: int) -> Credentials:
        self.issued.append((role_arn, session_name))
        return Credentials("ASIAEXAMPLE", "secret", "token", time.time() + self.seconds)


class RecordedLogs:
    def __init__(self) -> None:
        self.streams: dict[str, list[str]] = {}
        self.written: list[dict[str, str]] = []

    def write(
        self, *, role_arn: str, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]
    ) -> None:
        self.written.append({"role_arn": role_arn, "region": region, "group": group})
        self.streams.setdefault(stream, []).extend(text for _, text in lines)


class Access:
    """The way to AWS's API: who has been given it."""

    loopback: tuple[str, ...] = ()
    listen: tuple[tuple[str, int], ...] = ()
    datagrams: tuple[tuple[str, int], ...] = ()
    hosts = ""

    def __init__(self) -> None:
        self.serving: dict[str, Caller] = {}

    def open(self, name: str, caller: Caller, sockets: Sequence[socket.socket]) -> None:
        self.serving[name] = caller

    def close(self, name: str) -> None:
        del self.serving[name]

    def binds(self) -> tuple[Bind, ...]:
        return ()

    def files(self, homes: Iterable[str]) -> Mapping[str, str]:
        return {}


def zipped(files: Mapping[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


class Bench:
    """A function service on fakes, and functions made of source text."""

    def __init__(self, **options: object) -> None:
        self.fabric = LoopbackFabric()
        self.sandboxes = PlainSandboxes(self.fabric)
        self.keys, self.logs, self.access = Keys(), RecordedLogs(), Access()
        self.packages: dict[str, bytes] = {}
        self.events: list[object] = []
        self.requests = 0
        self.service = FunctionService(
            self.sandboxes,
            self.fabric,
            self.keys,
            self.logs,
            self.access,
            lambda arn, version: self.packages[arn],
            emit=self.events.append,
            **options,  # type: ignore[arg-type]
        )

    def function(self, source: str | Mapping[str, str], **fields: object) -> FunctionRecord:
        files = {"lambda_function.py": source} if isinstance(source, str) else source
        package = zipped(files)
        record = FunctionRecord(
            arn=ARN,
            name="f",
            version="$LATEST",
            region="ap-south-1",
            account_id="123456789012",
            runtime="python3.13",
            handler="lambda_function.lambda_handler",
            role_arn="arn:aws:iam::123456789012:role/r",
            timeout_seconds=20,
            memory_mb=256,
            environment={},
            code_sha256=hashlib.sha256(package).hexdigest(),
            revision=hashlib.sha256(package).hexdigest(),
            log_group="/aws/lambda/f",
        )
        record = replace(record, **fields)  # type: ignore[arg-type]
        self.packages[record.arn] = package
        return record

    def call(self, function: FunctionRecord, event: object = None, **options: object):  # type: ignore[no-untyped-def]
        self.requests += 1
        request_id = f"00000000-0000-4000-8000-{self.requests:012d}"
        payload = json.dumps(event).encode()
        result = self.service.invoke(function, payload, request_id=request_id, **options)  # type: ignore[arg-type]
        return json.loads(result.payload), result

    def lines(self) -> list[str]:
        self.service.flush()
        return [line for stream in self.logs.streams.values() for line in stream]

    def close(self) -> None:
        self.service.close()


@pytest.fixture
def benches() -> Iterator[Callable[..., Bench]]:
    """Makes benches with options of FunctionService; closes them and checks that nothing is left."""
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> Bench:
            bench = Bench(**options)
            stack.callback(bench.close)
            return bench

        yield make


@pytest.fixture
def bench(benches: Callable[..., Bench]) -> Bench:
    return benches()


@pytest.fixture
def limits() -> type[PoolLimits]:
    return PoolLimits
