"""One sandbox from start to end, within a time and an amount of output.

What belongs here: collecting what a sandbox says without being flooded or kept waiting. What does
not: starting it (host.py), or believing it: what comes out is data.
"""

import os
import select
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labkit.sandbox.handle import Handle
from labkit.sandbox.spec import SandboxSpec

if TYPE_CHECKING:
    from labkit.sandbox.tiers import AnyHost

Reason = Literal["exit", "memory", "killed", "time", "output"]
_PIECE = 1 << 16


@dataclass(frozen=True)
class Finished:
    """What a sandbox left: its exit code (negative: a signal), why it ended, and what it said."""

    code: int
    reason: Reason
    output: bytes
    errors: bytes


def run(
    host: "AnyHost",
    spec: SandboxSpec,
    *,
    seconds: float,
    output_bytes: int = 256 << 10,
    stdin: int | None = None,
    started: Callable[[Handle], None] = lambda _: None,
    heard: Callable[[bytes], None] = lambda _: None,
) -> Finished:
    """Run `spec` to its end, at most `seconds`, keeping at most `output_bytes` of each stream.

    More time or output than that ends it, and the reason says so. `started` is called with the
    running sandbox, for example to serve its listeners; `heard` with each piece of its standard output that is kept.
    Raises SandboxError when it can't start.
    """
    with ExitStack() as stack:
        readers, writers = zip(*(os.pipe() for _ in range(2)), strict=True)
        for reader in readers:
            stack.callback(os.close, reader)
        try:
            sandbox = host.start(spec, stdin=stdin, stdout=writers[0], stderr=writers[1])
        finally:
            for writer in writers:
                os.close(writer)
        stack.callback(sandbox.kill)
        started(sandbox)
        collector = _Collector(sandbox, readers, output_bytes, heard)
        reason = collector.collect(time.monotonic() + seconds)
        code = sandbox.wait()
    kept = [bytes(collector.kept[reader]) for reader in readers]
    assert code is not None
    return Finished(code, reason or sandbox.ended_by or "exit", *kept)


class _Collector:
    """Reads the streams of one sandbox until its end, and ends it when it exceeds a bound."""

    def __init__(
        self, sandbox: Handle, readers: tuple[int, ...], most: int, heard: Callable[[bytes], None]
    ) -> None:
        self.kept = {reader: bytearray() for reader in readers}
        self._sandbox, self._most = sandbox, most
        self._heard = {readers[0]: heard}
        self._poll = select.poll()
        for descriptor in (*readers, sandbox.fileno()):
            self._poll.register(descriptor, select.POLLIN)

    def collect(self, deadline: float) -> Reason | None:
        """Read until the end; the bound that was exceeded, or None."""
        reason = self._listen(deadline)
        if reason:
            self._sandbox.kill()
            self._sandbox.wait()
        self._drain()
        return reason

    def _listen(self, deadline: float) -> Reason | None:
        """Read until the sandbox ends (None) or exceeds a bound."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "time"
            ready = [descriptor for descriptor, _ in self._poll.poll(left * 1000)]
            if self._sandbox.fileno() in ready:
                return None
            if not self._read_all(ready):
                return "output"

    def _read_all(self, ready: list[int]) -> bool:
        """Read once from each ready stream; False when one has said too much."""
        within = [self._read(reader) for reader in ready if reader in self.kept]
        return all(within)

    def _read(self, reader: int) -> bool:
        piece = os.read(reader, _PIECE)
        if not piece:
            self._poll.unregister(reader)
        return self._keep(reader, piece)

    def _keep(self, reader: int, piece: bytes) -> bool:
        """Keep what there is room for; whether that is all."""
        kept = self.kept[reader]
        room = self._most - len(kept)
        kept += piece[:room]
        if reader in self._heard:
            self._heard[reader](piece[:room])
        return len(piece) <= room

    def _drain(self) -> None:
        """What still lies in the pipes; every writer is dead, so the end comes."""
        for reader in self.kept:
            os.set_blocking(reader, False)
            while len(self.kept[reader]) < self._most and (piece := _read_now(reader)):
                self._keep(reader, piece)


def _read_now(reader: int) -> bytes:
    try:
        return os.read(reader, _PIECE)
    except BlockingIOError:
        return b""
