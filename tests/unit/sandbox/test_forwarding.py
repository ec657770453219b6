"""Connections are passed on, both ways, to the one address."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from labkit.sandbox.forwarding import forwarded


def listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(100)
    return made


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    """Sends back what it is sent, when the other side has said all."""
    listener = listening()

    def answer(client: socket.socket) -> None:
        with client:
            said = b""
            while piece := client.recv(65536):
                said += piece
            client.sendall(said)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener
    listener.close()


def said_back(address: tuple[str, int], text: bytes) -> bytes:
    with socket.create_connection(address, timeout=20) as made:
        sending = threading.Thread(target=lambda: (made.sendall(text), made.shutdown(socket.SHUT_WR)))
        sending.start()
        found = b""
        while piece := made.recv(65536):
            found += piece
        sending.join()
        return found


def test_many_connections_carry_much(echo: socket.socket) -> None:
    inside = listening()
    address = inside.getsockname()
    with forwarded(inside, echo.getsockname()):
        texts = [bytes([number]) * 300_000 for number in range(20)]
        found: dict[int, bytes] = {}
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: said_back(address, texts[n])})) for n in range(20)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[number] for number in range(20)] == texts


def test_its_end_ends_the_connections(echo: socket.socket) -> None:
    inside = listening()
    address = inside.getsockname()
    with forwarded(inside, echo.getsockname()):
        held = socket.create_connection(address, timeout=20)
        held.sendall(b"x")
    with held, contextlib.suppress(ConnectionResetError):
        assert held.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=20)


def test_nobody_there_is_an_end_and_no_trouble() -> None:
    with listening() as closed:
        nowhere = closed.getsockname()
    inside = listening()
    with forwarded(inside, nowhere), socket.create_connection(inside.getsockname(), timeout=20) as made:
        assert made.recv(10) == b""
