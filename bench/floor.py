"""The floor: a server in a process of its own that answers every request at once.

What belongs here: the stub. What does not: anything that thinks about a request.
"""

import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

from labkit.deploy.targets import Keys, Target

STUB = """
import socket, sys, threading
listener = socket.socket(fileno=int(sys.argv[1]))
HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nETag: \\"0\\"\\r\\nContent-Length: "
STORED, OBJECT = HEAD + b"0\\r\\n\\r\\n", HEAD + b"2\\r\\n\\r\\n{}"
LISTING = HEAD + b"4\\r\\n\\r\\n<a/>"
def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        while b"\\r\\n\\r\\n" not in data:
            chunk = connection.recv(1 << 18)
            if not chunk: return
            data += chunk
        head, data = data.split(b"\\r\\n\\r\\n", 1)
        length = 0
        for line in head.split(b"\\r\\n"):
            if line.lower().startswith(b"content-length:"): length = int(line[15:])
            if line.lower().startswith(b"expect:"): connection.sendall(b"HTTP/1.1 100 Continue\\r\\n\\r\\n")
        while len(data) < length:
            chunk = connection.recv(1 << 18)
            if not chunk: return
            data += chunk
        data = data[length:]
        connection.sendall(STORED if head.startswith(b"PUT") else LISTING if b"?list-type" in head else OBJECT)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


#: credentials for who looks at none
ANYBODY = Keys("bench", "bench")


class Floor:
    """A running stub; `url` is where it answers."""

    def target(self, region: str) -> Target:
        """The stub as a place to ask."""
        return Target("local", region, self.url, ANYBODY)

    def __enter__(self) -> Self:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        handle = listener.fileno()
        self._process = subprocess.Popen([sys.executable, "-c", STUB, str(handle)], pass_fds=[handle])
        listener.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
