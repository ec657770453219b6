"""Connections to one port inside a sandbox's network namespace, passed on to one outside.

What belongs here: carrying bytes between the two. What does not: which ports. Nobody inside chooses where it leads.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

_PIECE = 1 << 16
#: at once; a client of AWS's API has a few for each service
_MOST = 200
#: of the loop, until who was accepted is told to us; it takes three
_TURNS = 5


@contextlib.contextmanager
def forwarded(listener: socket.socket, address: tuple[str, int]) -> Iterator[None]:
    """During the body, who connects to `listener` is connected to `address`. The listener is closed at the end."""
    loop, begun = asyncio.new_event_loop(), threading.Event()
    ending: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(_serve(listener, address, begun, ending))

    thread = threading.Thread(target=run, name="forwarding", daemon=True)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ending.set_result, None)
        thread.join()


async def _serve(
    listener: socket.socket, address: tuple[str, int], begun: threading.Event, ending: "asyncio.Future[None]"
) -> None:
    # (the loop itself forgets who waits on both sides)
    running: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(running) >= _MOST:
            writer.transport.abort()
            return
        running[writer] = asyncio.create_task(_pass_on(reader, writer, address))
        running[writer].add_done_callback(lambda _: running.pop(writer))

    server = await asyncio.start_server(accepted, sock=listener, limit=_PIECE)
    begun.set()
    await ending
    asyncio.get_running_loop().remove_reader(
        listener
    )  # a server that closes meanwhile forgets who was accepted
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()
    left = dict(running)
    for writer, task in left.items():
        writer.transport.abort()
        task.cancel()
    await asyncio.gather(*left.values(), return_exceptions=True)
    await asyncio.sleep(0)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: tuple[str, int]
) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError):
        there, back = await asyncio.open_connection(*address, limit=_PIECE)
        with contextlib.closing(back):
            await asyncio.gather(_carry(reader, back), _carry(there, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
