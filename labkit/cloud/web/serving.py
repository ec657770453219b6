"""An HTTP/1.1 server for sockets that already listen: this machine's, and those made inside sandboxes.

What belongs here: accepting, one thread for each connection, writing responses, stopping. What does
not: the syntax of requests (labkit.cloud.web.http1), and what the applications answer.

Why a server of our own: sockets come and go while it runs, made in other network namespaces, and
each has its own application; and the whole of a PutItem has 0.7 ms beyond what its client costs. A
trivial application over one kept-alive connection, p50 of 5,000 requests, client included, on the
same two cores: this server 0.14 ms, waitress 3.0 0.27 ms, cheroot 11.1 0.32 ms; werkzeug 3.1's
development server closes each connection (a new one for every call of boto3).
waitress and cheroot also hold a request until a worker of a fixed pool is free, so 16 functions that
wait for their next event would leave nobody to answer the API.
"""

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from labkit.cloud.web.connection import Connection
from labkit.cloud.web.http1 import Admit, HttpLimits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger(__name__)

#: connections that one listener may hold; for one more, the one that has been silent longest is ended
CONNECTIONS = 256
#: how often it is looked for one that fell silent, where all were being answered
LOOK_SECONDS = 0.2


class _Site:
    """One listener, its application and its connections."""

    def __init__(
        self,
        listener: socket.socket,
        app: "WSGIApplication",
        name: str,
        tls: ssl.SSLContext | None,
        admit: Admit,
    ) -> None:
        self.listener = listener
        self.tls = tls
        self.admit = admit
        self.app = app
        self.name = name
        self.connections: dict[Connection, threading.Thread] = {}
        self.accepting = False


class Server:
    """Serves WSGI applications on listening sockets. Implements labkit.cloud.ports.Serving.

    One thread accepts for all listeners; each connection has a thread of its own, so an application
    may wait as long as it likes. Listeners given become the server's own: it closes them.
    """

    def __init__(self, *, limits: HttpLimits | None = None, connections: int = CONNECTIONS) -> None:
        self._limits = limits or HttpLimits()
        self._most = connections
        self._sites: dict[str, _Site] = {}
        self._selector = selectors.DefaultSelector()
        self._orders: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._waker, self._wakee = socket.socketpair()
        self._waker.setblocking(False)
        self._wakee.setblocking(False)
        self._selector.register(self._wakee, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._closed = False
        self._pausing = False
        self._thread = threading.Thread(target=self._run, name="http-acceptor", daemon=True)
        self._thread.start()

    def serve(
        self,
        listener: socket.socket,
        app: "WSGIApplication",
        *,
        name: str,
        tls: ssl.SSLContext | None = None,
        admit: Admit = lambda _: None,
    ) -> None:
        """Answer on `listener` with `app` until `stop(name)` or `close()`; with `tls`, HTTPS.

        `admit` sees each request before its body is read, and raises BadRequest for what is not to be served. Raises ValueError when something is served under this name already.
        """
        self._order(lambda: self._open(_Site(listener, app, name, tls, admit)))

    def stop(self, name: str, *, grace: float = 1.0) -> None:
        """Stop answering for `name` and close its listener; unknown names are fine.

        Requests being answered get `grace` seconds; then their connections are cut.
        """
        site = self._sites.get(name)
        if site is not None:
            self._order(lambda: self._shut(site))
            _drain([site], grace)

    def close(self, *, grace: float = 1.0) -> None:
        """Stop everything; afterwards no socket and no idle thread of the server is left."""
        if self._closed:
            return
        sites = list(self._sites.values())
        self._order(self._end)
        self._thread.join()
        _drain(sites, grace)
        self._selector.close()
        self._waker.close()
        self._wakee.close()

    # -- in the acceptor's thread -------------------------------------------------------------

    def _order(self, action: Callable[[], None]) -> None:
        """Have the acceptor's thread do `action`; the selector and the sites belong to it alone."""
        done: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is closed")
            self._orders.append((action, done))
        self._wake()
        done.result()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: nothing to wake
            self._waker.send(b"\0")

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(LOOK_SECONDS if self._pausing else None):
                if key.data is None:
                    self._obey()
                elif key.data.accepting:
                    self._accept(key.data)
            if self._pausing:
                for site in self._sites.values():
                    if not site.accepting:
                        self._make_room(site)
        self._obey()

    def _obey(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakee.recv(4096)
        while self._orders:
            action, done = self._orders.popleft()
            try:
                if self._closed:
                    raise RuntimeError("the server is closed")
                action()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

    def _open(self, site: _Site) -> None:
        if site.name in self._sites:
            raise ValueError(f"{site.name} is served already")
        site.listener.setblocking(False)
        self._selector.register(site.listener, selectors.EVENT_READ, site)
        site.accepting = True
        self._sites[site.name] = site

    def _shut(self, site: _Site) -> None:
        if self._sites.pop(site.name, None) is site:
            self._pause(site)
            site.listener.close()

    def _end(self) -> None:
        with self._lock:
            self._closed = True
        for site in list(self._sites.values()):
            self._shut(site)

    def _pause(self, site: _Site) -> None:
        if site.accepting:
            site.accepting = False
            self._selector.unregister(site.listener)

    def _resume(self) -> None:
        """Accept again for every site that has room."""
        self._pausing = False
        for site in self._sites.values():
            if not site.accepting and len(site.connections) <= self._most:
                site.accepting = True
                self._selector.register(site.listener, selectors.EVENT_READ, site)
            self._pausing = self._pausing or not site.accepting

    def _hold(self, site: _Site) -> None:
        """Accept nothing more for `site` until a connection, of whichever site, has ended."""
        self._pause(site)
        self._pausing = True
        if not any(other.connections for other in self._sites.values()):
            self._resume()

    def _accept(self, site: _Site) -> None:
        try:
            client, _ = site.listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError as error:
            _log.warning("no connection can be accepted for %s: %s", site.name, error)
            self._shed(site)
            return
        self._start(site, client)
        if len(site.connections) > self._most and not self._make_room(site):
            self._hold(site)
            if len(site.connections) <= self._most:  # one ended before it could know that we wait for it
                self._resume()

    def _shed(self, site: _Site) -> None:
        """Out of descriptors: wait for a connection to end, having cut one that is idle."""
        if not any(other.connections for other in self._sites.values()):
            time.sleep(0.1)  # nothing of ours will end: somebody else must close a descriptor
            return
        _end_oldest([each for other in self._sites.values() for each in list(other.connections)])
        self._hold(site)

    def _make_room(self, site: _Site) -> bool:
        """Whether a connection of `site` is ending, or was ended here: never its newest, which can't have said
        anything yet, and none where they can't end as fast as others come.
        """
        connections = list(site.connections)[:-1]
        if len(connections) > 2 * self._most:
            return False
        living = [each for each in connections if not each.ending]
        return len(living) < self._most or _end_oldest(living)

    def _start(self, site: _Site, client: socket.socket) -> None:
        connection = Connection(client, site.app, self._limits, site.tls, site.admit)
        thread = threading.Thread(
            target=self._converse, args=(site, connection), name=f"http-{site.name}", daemon=True
        )
        site.connections[connection] = thread
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            del site.connections[connection]
            client.close()

    # -- in a connection's thread -------------------------------------------------------------

    def _converse(self, site: _Site, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            site.connections.pop(connection, None)
            if self._pausing:
                self._orders.append((self._resume, Future()))
                self._wake()


def _end_oldest(connections: list[Connection]) -> bool:
    """End the one that has been silent longest, of callers that proved who they are the last; whether there was one."""
    return any(each.shed() for each in sorted(connections, key=lambda each: (each.trusted, each.since)))


def _drain(sites: list[_Site], grace: float) -> None:
    """End all connections: idle ones now, the others after their response or `grace` seconds."""
    threads = []
    for site in sites:
        for connection, thread in list(site.connections.items()):
            connection.finish()
            if thread is not threading.current_thread():  # a request may end its own site
                threads.append((connection, thread))
    _join([thread for _, thread in threads], grace)
    for connection, thread in threads:
        if thread.is_alive():
            connection.cut()
    _join([thread for _, thread in threads], 0.5)


def _join(threads: list[threading.Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
