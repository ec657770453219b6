"""Landlock: a process gives up, for good, every file and TCP port but those named. Linux only.

What belongs here: the three system calls and the kernel's numbers. What does not: what a sandbox is given
(child.py). Kernel documentation: userspace-api/landlock.rst.
"""

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.sandbox.kernel import syscalls

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_RULE, _PORT_RULE = 1, 2
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_TRUNCATE = 1 << 14
_ALL_OF_1 = (1 << 13) - 1
_FROM_VERSION = {2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}  # link and rename, truncate, device ioctl
_CONNECT_TCP = 2
_SCOPES = 3  # abstract sockets, signals
#: TCP ports can be named from this version on
WITH_PORTS = 4
_WITH_SCOPES = 6


@dataclass(frozen=True)
class Allowed:
    """What stays: files to read (and run), to write, and ports to connect to. Listening is free."""

    read: Sequence[str] = ()
    write: Sequence[str] = ()
    connect: Sequence[int] = ()


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    return max(0, syscalls.call(_CREATE, None, 0, _VERSION_FLAG, fails=False))


def restrict(allowed: Allowed) -> None:
    """Give up all else, for this process and what it starts. Raises OSError when refused.

    No new privileges must have been given up before.
    """
    ruleset = prepare(allowed)
    try:
        enter(ruleset)
    finally:
        os.close(ruleset)


def enter(ruleset: int) -> None:
    """Give up all but what was prepared, as `restrict`; what was given up before stays so."""
    syscalls.call(_RESTRICT, ruleset, 0)


def prepare(allowed: Allowed) -> int:
    """A descriptor to `enter` by, closed when a program is run. Raises OSError when refused."""
    known = version()
    files = _ALL_OF_1 | sum(bits for since, bits in _FROM_VERSION.items() if known >= since)
    ruleset = _ruleset(known, files)
    try:
        for path in allowed.read:
            _allow_path(ruleset, path, _EXECUTE | _READ | _LIST)
        for path in allowed.write:
            _allow_path(ruleset, path, files)
        _allow_ports(ruleset, allowed.connect if known >= WITH_PORTS else ())
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _ruleset(known: int, files: int) -> int:
    fields = [files]
    if known >= WITH_PORTS:
        fields.append(_CONNECT_TCP)
    if known >= _WITH_SCOPES:
        fields.append(_SCOPES)
    record = struct.pack(f"{len(fields)}Q", *fields)
    return syscalls.call(_CREATE, record, len(record), 0)


def _allow_path(ruleset: int, path: str, access: int) -> None:
    """What does not exist can't be allowed, and need not be."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        if not os.path.isdir(path):
            access &= _EXECUTE | _WRITE | _READ | _TRUNCATE | _FROM_VERSION[5]
        record = struct.pack("=Qi", access, descriptor)
        syscalls.call(_ADD, ruleset, _PATH_RULE, record, 0)
    finally:
        os.close(descriptor)


def _allow_ports(ruleset: int, ports: Iterable[int]) -> None:
    for port in ports:
        syscalls.call(_ADD, ruleset, _PORT_RULE, struct.pack("=QQ", _CONNECT_TCP, port), 0)
