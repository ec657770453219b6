"""The warm parent: a clean, single-threaded Python that forks one sandboxed process per request.

What belongs here: its life and its answers. What does not: what a fork does (child.py), how requests
look (wire.py), the caller's side (host.py).

Started as its own program with an empty environment, before any secret is loaded, it imports what the
forked processes need, so that they start in milliseconds. It owns the namespaces in which everything
lives: its end ends all of it. It does nothing slow and waits for nobody, so it serves many callers.
"""

import contextlib
import gc
import importlib
import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Protocol

from labkit.sandbox import child
from labkit.sandbox.filesystem import rootfs
from labkit.sandbox.filesystem.sources import Source
from labkit.sandbox.filesystem.workshop import Workshop, detach_all, interpreter_folders
from labkit.sandbox.forkserver import wire
from labkit.sandbox.forkserver.children import Children
from labkit.sandbox.kernel import namespaces, seccomp, syscalls
from labkit.sandbox.spec import SandboxSpec
from labkit.sandbox.stages import COMMAND, FILES, NETWORK, ROUTER, Refused, stage

_ROUTER_MODULE = "labkit.sandbox.kernel.router"


class _Network(Protocol):
    """The private network between sandboxes (router.py)."""

    def namespace_of(self, name: str) -> int: ...


class WarmParent:
    """Answers requests until the other side of `connection` is gone."""

    def __init__(self, connection: socket.socket, workshop: Workshop) -> None:
        self._connection = connection
        self._workshop = workshop
        self._network: _Network | None = None
        self._children: Children[tuple[int, int]] = Children(connection)  # pid, where its status goes

    def serve(self) -> None:
        """Answer requests and collect ended children; returns when the caller is gone."""
        self._children.serve(self._answer, self._collect)

    def _collect(self, child: tuple[int, int]) -> None:
        """Report the wait status of an ended child; nobody there to hear it is no error."""
        pid, status_pipe = child
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(status_pipe, struct.pack("i", status))
        os.close(status_pipe)

    def _answer(self) -> bool:
        request = wire.receive_request(self._connection)
        if request is None:
            return False
        descriptors = dict(request.descriptors)
        with socket.socket(fileno=os.dup(descriptors["reply"])) as reply:
            try:
                self._carry_out(request, descriptors, reply)
            except Refused as refused:
                wire.send_refusal(reply, refused.stage, refused.reason, refused.number)
            finally:
                for descriptor in descriptors.values():
                    os.close(descriptor)
        return True

    def _carry_out(self, request: wire.Request, descriptors: dict[str, int], reply: socket.socket) -> None:
        """Carry out one request; keeps of `descriptors` what it takes out. Raises Refused."""
        values = request.arguments
        match request.operation:
            case "start":
                self._start(wire.decode_spec(values), descriptors, reply)
            case "make_disk" if values["folder"]:
                with stage(FILES):
                    folder = Source(values["folder"], descriptors.get("folder", -1))
                    self._workshop.mount_disk(values["name"], folder)
                wire.send_answer(reply, {})
            case "make_disk":
                with stage(FILES):
                    self._workshop.make_disk(values["name"], size_mb=values["size_mb"], files=values["files"])
                wire.send_answer(reply, {})
            case "remove_disk":
                with stage(FILES):
                    self._workshop.remove_disk(values["name"])
                wire.send_answer(reply, {})
            case "network":
                self._call_network(values["operation"], values["arguments"], reply)
            case unknown:
                raise Refused(COMMAND, f"no such operation: {unknown}")

    def _start(self, spec: SandboxSpec, descriptors: dict[str, int], reply: socket.socket) -> None:
        network = self._namespace_of(spec.interface) if spec.interface else -1
        sources = rootfs.Sources(
            programs=self._workshop.programs,
            binds=[Source(b.source, descriptors.get(f"bind {i}", -1)) for i, b in enumerate(spec.binds)],
            layers=[
                Source(path, descriptors.get(f"layer {i}", -1)) for i, path in enumerate(spec.usr_layers)
            ],
        )
        pid = namespaces.fork_first_process()
        if pid == 0:
            child.run(spec, sources, descriptors, network)
        pidfd = os.pidfd_open(pid)
        wire.send_answer(reply, {"pidfd": True}, [pidfd])
        self._children.add(pidfd, (pid, descriptors.pop("status")))

    def _the_network(self) -> _Network:
        """The private network, made when it is first asked for. Raises Refused."""
        if self._network is None:
            module = importlib.import_module(_ROUTER_MODULE)
            with stage(ROUTER):
                self._network = module.Network()
        return self._network

    def _namespace_of(self, interface: str) -> int:
        try:
            return self._the_network().namespace_of(interface)
        except LookupError as error:
            raise Refused(ROUTER, _described(error)) from error

    def _call_network(self, operation: str, arguments: dict[str, object], reply: socket.socket) -> None:
        """Call a method of the network and hand on the sockets that it returns."""
        network = self._the_network()
        try:
            result = getattr(network, operation)(**arguments)
        except Refused:
            raise
        except Exception as error:  # whatever it is, it belongs to the caller; this process goes on
            raise Refused(ROUTER, _described(error), getattr(error, "errno", 0) or 0) from error
        made: list[socket.socket] = result if isinstance(result, list) else []
        wire.send_answer(reply, {}, [each.fileno() for each in made])
        for each in made:
            each.close()


def _described(error: Exception) -> str:
    plain = isinstance(error, OSError | LookupError)
    return str(error) if plain else f"{type(error).__name__}: {error}"


def prepare(preload: Sequence[str]) -> Workshop:
    """Import everything, then own the namespaces. Raises Refused, ImportError."""
    for name in (*preload, *_present(_ROUTER_MODULE)):
        importlib.import_module(name)
    for pretend_root in (False, True):
        seccomp.program(pretend_root=pretend_root)  # built once, here, for every child
    programs = detach_all(interpreter_folders())
    gc.collect()
    gc.freeze()  # else the collector's bookkeeping copies every page in every child
    namespaces.become_owner()
    with stage(NETWORK):
        syscalls.unshare(syscalls.CLONE_NEWNET)  # to be able to come back from another one
    return Workshop(programs)


def _present(name: str) -> Sequence[str]:
    """Imported now: as a stand-in for root this process may not be able to read it later."""
    return [name] if importlib.util.find_spec(name) else []


def main(arguments: Sequence[str]) -> None:
    """Serve on the inherited socket whose number is the first argument; import the other ones."""
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    try:
        workshop = prepare(arguments[1:])
    except Refused as refused:
        wire.send_refusal(connection, refused.stage, refused.reason, refused.number)
        return
    except Exception as error:
        wire.send_refusal(connection, COMMAND, _described(error))
        return
    wire.send_answer(connection, {"ready": True})
    WarmParent(connection, workshop).serve()
    os._exit(0)  # the kernel ends every process of the namespace with this one


if __name__ == "__main__":
    main(sys.argv[1:])
