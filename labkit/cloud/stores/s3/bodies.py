"""The bytes of objects: small bodies in the database, large ones in files, none of them ever held whole.

A body is written once and never changed. A file that is being read is removed when its last reader has done.

What belongs here: storing, reading and removing bytes. What does not: whose they are (storage).
"""

import contextlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labkit.cloud.stores.s3.storage import Segment, Storage

#: bytes of the largest body that lies in the database
INLINE = 64 * 1024
#: bytes that are read or written at once
PIECE = 256 * 1024


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """As a file's."""
        ...


@dataclass(frozen=True)
class Received:
    """Bytes that have come and belong to nothing yet: in memory, or in a file."""

    size: int
    data: bytes | None
    file: Path | None


class Bodies:
    """All bodies. For any thread."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        """`folder` is for the files, made where it is missing; what was left half-done in it goes."""
        self._storage, self._folder = storage, folder
        self._lock = threading.Lock()
        self._readers: Counter[int] = Counter()
        self._doomed: set[int] = set()
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a killed process has left: files of nothing, rows of nothing."""
        used = self._storage.bodies_in_use()
        self._storage.drop_unused_bodies([each for each in self._storage.all_bodies() if each not in used])
        for path in self._folder.iterdir():
            if not path.name.isdigit() or int(path.name) not in used:
                path.unlink()

    def receive(self, stream: Readable, size: int, seen: Callable[[bytes], None]) -> Received:
        """Take `size` bytes, or all where that is -1, showing each piece to `seen`. What comes short is seen by its size.

        A caller that does not keep what it received must discard it.
        """
        first = _fill(stream, INLINE + 1 if size < 0 else min(size, INLINE + 1))
        seen(first)
        if len(first) <= INLINE:
            return Received(len(first), first, None)
        path, count = self._new_file(), len(first)
        try:
            with open(path, "xb", buffering=0) as file:
                file.write(first)
                while (size < 0 or count < size) and (piece := stream.read(_next(size, count))):
                    seen(piece)
                    file.write(piece)
                    count += len(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Received(count, None, path)

    def _new_file(self) -> Path:
        with self._lock:
            self._number += 1
            return self._folder / f"new-{self._number}"

    def keep(self, received: Received) -> int:
        """Make what was received a body; its number. Within the transaction that gives it to somebody."""
        number = self._storage.add_body(received.size, received.data)
        if received.file is not None:
            received.file.rename(self._folder / str(number))
        return number

    def discard(self, received: Received) -> None:
        """Throw away what was received."""
        if received.file is not None:
            received.file.unlink(missing_ok=True)

    def duplicate(self, segment: Segment) -> int:
        """Another body with the same bytes; its number. Within a transaction."""
        data = self._storage.body(segment.body)
        number = self._storage.add_body(segment.size, data)
        if data is None:
            source, target = self._folder / str(segment.body), self._folder / str(number)
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)
        return number

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget bodies, after the transaction in which their owners went."""
        self._storage.drop_unused_bodies(numbers)
        with self._lock:
            free = [number for number in numbers if not self._readers[number]]
            self._doomed.update(set(numbers) - set(free))
        for number in free:
            (self._folder / str(number)).unlink(missing_ok=True)

    def open(self, segments: Sequence[Segment], first: int, last: int) -> Iterator[bytes]:
        """The bytes from `first` to `last` (both included) of the segments together, in pieces.

        What is to be read is held from now on, whatever is deleted; the iterator must be read or closed.
        """
        if len(segments) == 1 and (data := self._storage.body(segments[0].body)) is not None:
            return iter((data[first : last + 1],))
        numbers = [each.body for each in segments]
        with self._lock:
            self._readers.update(numbers)
        return _Reading(self._read(segments, first, last), lambda: self._release(numbers))

    def _release(self, numbers: Sequence[int]) -> None:
        with self._lock:
            self._readers.subtract(numbers)
            free = [number for number in numbers if self._readers[number] <= 0]
            gone = self._doomed.intersection(free)
            self._doomed -= gone
            for number in free:
                del self._readers[number]
        for number in gone:
            (self._folder / str(number)).unlink(missing_ok=True)

    def _read(self, segments: Sequence[Segment], first: int, last: int) -> Iterator[bytes]:
        begin = 0
        for each in segments:
            start, end = max(first - begin, 0), min(last - begin, each.size - 1)
            if start <= end:
                yield from self._pieces(each, start, end)
            begin += each.size

    def _pieces(self, segment: Segment, start: int, end: int) -> Iterator[bytes]:
        data = self._storage.body(segment.body)
        if data is not None:
            yield data[start : end + 1]
            return
        with open(self._folder / str(segment.body), "rb", buffering=0) as file:
            file.seek(start)
            left = end - start + 1
            while left and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece


class _Reading(Iterator[bytes]):
    """Pieces of a body that is held until they are read or given up."""

    def __init__(self, pieces: Iterator[bytes], release: Callable[[], None]) -> None:
        self._pieces, self._ending = pieces, contextlib.ExitStack()
        self._ending.callback(release)

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; what was deleted meanwhile goes now."""
        self._ending.close()


def _next(size: int, count: int) -> int:
    return PIECE if size < 0 else min(PIECE, size - count)


def _fill(stream: Readable, size: int) -> bytes:
    """So many bytes, or fewer where the stream ends."""
    data = stream.read(size)
    if len(data) >= size or not data:
        return data
    pieces, count = [data], len(data)
    while count < size and (piece := stream.read(size - count)):
        pieces.append(piece)
        count += len(piece)
    return b"".join(pieces)
