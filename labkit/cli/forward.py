"""`./lab forward`: an address on this machine that leads to a port of an instance, for any browser.

What belongs here: the command, and carrying bytes to the cloud's proxy, which decides as for anybody on the internet.
What does not: the proxy (labkit.cloud.web.proxy).
"""

import argparse
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from labkit.base.errors import CloudError, UsageError
from labkit.cli import tunnel
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.lesson.context import Context


def run(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    """Forward until interrupted. Raises UsageError, CloudError."""
    from labkit.lesson.path import things

    instance = things.find(context, arguments.instance, kinds=("instance",))
    address = _public(context, instance.name)
    listener = _listener(arguments.local or arguments.port)
    proxy = str(context.cloud.ask("GET", "proxy")["url"])
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    console.line(
        f"{url} leads to {instance.name} ({address}), port {arguments.port}. End it with Ctrl-C.",
        style="strong",
    )
    console.line(
        "It is asked from the internet: where it takes for ever, the rules don't let it in.", style="dim"
    )
    console.line(f"  ./lab cloud trace internet {instance.name} {arguments.port}", style="dim")
    console.result({"url": url})
    while True:
        client, _ = listener.accept()
        asked = (client, proxy, address, arguments.port)
        threading.Thread(target=_carry, args=asked, daemon=True).start()


def _public(context: "Context", instance: str) -> str:
    """The instance's public address, whichever region it is in."""
    status = context.cloud.ask("GET", "status")
    found = next(each for each in status["instances"] if each["id"] == instance)
    if not found.get("public_ip"):
        raise CloudError(
            f"{instance} has no public address: nobody on the internet reaches it.",
            hint=f"Look from inside:  ./lab shell {instance}",
        )
    return str(found["public_ip"])


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except PermissionError:
        return socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        raise UsageError(
            f"Port {port} of this machine is in use.",
            hint="Choose another:  ./lab forward INSTANCE PORT --local 8000",
        ) from error


def _carry(client: socket.socket, proxy: str, address: str, port: int) -> None:
    with client, contextlib.suppress(OSError), tunnel.through(proxy, address, port) as server:
        back = threading.Thread(target=tunnel.copy, args=(server, client), daemon=True)
        back.start()
        tunnel.copy(client, server)
        back.join()
