"""The ends of AWS's names in a rehearsal: TLS on port 443 and a resolver, before a local cloud that speaks plain HTTP.

What belongs here: sockets and bytes. What does not: namespaces and files (stage.py), what a request means (the cloud).
"""

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable

from labkit.aws.network import names
from labkit.cloud.endpoints.authority import Authority

ADDRESS, SECURE_PORT, NAMES_PORT = "127.0.0.1", 443, 53
#: a connection on which nothing was said for so long is closed, as AWS closes idle ones
IDLE_SECONDS = 60.0
_CHUNK = 1 << 16


def look_up(_: str, name: str) -> str | None:
    """Every name that AWS has leads here; there are no others."""
    return ADDRESS if names.parse(name) else None


class Relay:
    """Takes TLS connections at port 443 and hands their bytes to the cloud. Runs until its process ends."""

    def __init__(self, authority: Authority, cloud_port: Callable[[], int]) -> None:
        """`cloud_port`: where the cloud answers now. Needs to be allowed port 443."""
        self._context = authority.server_context()
        self._cloud_port = cloud_port
        self._listener = socket.create_server((ADDRESS, SECURE_PORT), backlog=128)
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            plain, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        """One connection, to its end; whoever breaks it off ends it."""
        with contextlib.suppress(OSError), plain:
            plain.settimeout(IDLE_SECONDS)
            with (
                self._context.wrap_socket(plain, server_side=True) as secure,
                socket.create_connection((ADDRESS, self._cloud_port())) as cloud,
            ):
                pump(secure, cloud)


def pump(secure: ssl.SSLSocket, cloud: socket.socket) -> None:
    """Copy both ways until one side has ended, or nothing was said for IDLE_SECONDS. Raises OSError."""
    with selectors.DefaultSelector() as ready:
        ready.register(secure, selectors.EVENT_READ, (secure, cloud))
        ready.register(cloud, selectors.EVENT_READ, (cloud, secure))
        while found := ready.select(IDLE_SECONDS):
            for key, _ in found:
                source, target = key.data
                if not _copy(source, target):
                    return


def _copy(source: socket.socket, target: socket.socket) -> bool:
    """What has come, whole: TLS may hold decrypted bytes for which the socket is not readable again."""
    while True:
        data = source.recv(_CHUNK)
        if not data:
            return False
        target.sendall(data)
        if not (isinstance(source, ssl.SSLSocket) and source.pending()):
            return True
