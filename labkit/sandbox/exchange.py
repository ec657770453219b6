"""Files on their way onto a sandbox's disk and back, each way by a sandboxed process of its own.

What belongs here: the two ways, and what runs inside for them. What does not: what the files are. Whoever has used the
disk may have left links and odd files there: all that they lead to is what a sandboxed process may see anyway, and
what comes back is data.
"""

import base64
import json
import os
import stat
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.base.errors import SandboxError
from labkit.sandbox import capture
from labkit.sandbox.spec import SandboxSpec

if TYPE_CHECKING:
    from labkit.sandbox.tiers import AnyHost

_SECONDS = 60.0


def fill(host: "AnyHost", spec: SandboxSpec, files: Mapping[str, bytes], kept: Collection[str] = ()) -> None:
    """Let the working folder of `spec` hold these files by relative path, and nothing else but the entries `kept`.

    Raises SandboxError when it can't be done, within the spec's limits or at all.
    """
    order = {
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "kept": list(kept),
    }
    with tempfile.TemporaryFile() as given:
        given.write(json.dumps(order).encode())
        given.seek(0)
        _run(host, spec, "filled", stdin=given.fileno())


def fetch(host: "AnyHost", spec: SandboxSpec, names: Collection[str], most: int) -> dict[str, bytes]:
    """The files of these names, as far as they are plain files there. `most`: bytes of all. Raises SandboxError."""
    said = _run(host, spec, "fetched", arguments={"names": list(names), "most": most}, most=2 * most + 65536)
    try:
        found = json.loads(said)
        return {name: base64.b64decode(found[name], validate=True) for name in names if name in found}
    except (ValueError, TypeError, RecursionError) as error:
        raise SandboxError("What came from the sandbox's disk can't be read.") from error


def _run(
    host: "AnyHost",
    spec: SandboxSpec,
    function: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    stdin: int | None = None,
    most: int = 65536,
) -> bytes:
    inside = replace(
        spec, entry=f"{__name__}:{function}", command=(), arguments=arguments or {}, bare=False, binds=(), listen=(),
        interface="",
    )  # fmt: skip
    done = capture.run(host, inside, seconds=_SECONDS, output_bytes=most, stdin=stdin)
    if done.code or done.reason != "exit":
        last = done.errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SandboxError(f"The sandbox's disk could not be used ({done.reason} {done.code}): {last[:200]}")
    return done.output


# ---- Inside ---------------------------------------------------------------------------------------------


def filled(_: Mapping[str, Any]) -> None:
    """Make the working folder what standard input says."""
    order = json.load(sys.stdin)
    for entry in list(os.scandir(".")):
        if entry.name not in order["kept"]:
            _remove(entry)
    for name, data in order["files"].items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "xb") as file:
            file.write(base64.b64decode(data))


def _remove(entry: "os.DirEntry[str]") -> None:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)
        return
    os.chmod(entry.path, 0o700)
    for each in list(os.scandir(entry.path)):
        _remove(each)
    os.rmdir(entry.path)


def fetched(order: Mapping[str, Any]) -> None:
    """Write the plain files among the names to standard output."""
    found, left = dict[str, str](), order["most"]
    for name in order["names"]:
        data = _plain_file(name, left)
        if data is not None:
            left -= len(data)
            found[name] = base64.b64encode(data).decode()
    json.dump(found, sys.stdout)


def _plain_file(name: str, most: int) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        state = os.fstat(descriptor)
        is_plain = stat.S_ISREG(state.st_mode) and state.st_size <= most
        if not is_plain:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)
