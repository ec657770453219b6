"""A connection through the cloud's proxy, as a program asks for it; run as a program it is SSH's ProxyCommand.

What belongs here: asking the proxy, and copying bytes. What does not: the proxy (labkit.cloud.web.proxy). It is run by
its path, in any folder: standard library only.
"""

import base64
import contextlib
import os
import signal
import socket
import sys
import threading
from urllib.parse import urlsplit


def through(proxy: str, address: str, port: int) -> socket.socket:
    """A connection by the proxy. Raises ConnectionRefusedError, with the proxy's words, where it says no."""
    parts = urlsplit(proxy)
    made = socket.create_connection(("127.0.0.1", parts.port or 0))
    keys = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    made.sendall(f"CONNECT {address}:{port} HTTP/1.1\r\nProxy-Authorization: Basic {keys}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := made.recv(1)):
        head += byte
    if b" 200 " not in head.split(b"\r\n")[0]:
        with made, made.makefile("rb") as rest:
            raise ConnectionRefusedError(rest.read().decode(errors="replace").strip())
    return made


def copy(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way until `source` ends; tell `target` so."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _typed(target: socket.socket) -> None:
    while data := os.read(0, 65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def main(host: str, port: str) -> str | None:
    """Join standard input and output to host and port; what went wrong, or None."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # so ssh ends it, also where nohup began all this
    try:
        server = through(os.environ["http_proxy"], host, int(port))
    except (OSError, KeyError) as error:
        return str(error) or "The local cloud did not answer. Is it there?  ./lab cloud status"
    threading.Thread(target=_typed, args=(server,), daemon=True).start()
    while data := server.recv(65536):
        while data:
            data = data[os.write(1, data) :]
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
