"""A host on the internet side that serves pictures: what the lab's image URLs point at.

What belongs here: the WSGI application of that host, its store of files, how badly it may behave, and who
came. What does not: how packets get there (labkit.cloud.network), so that a missing internet gateway breaks
downloads.
"""

import mimetypes
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

from labkit.aws.addresses import IMAGE_HOST_NAME
from labkit.cloud.web.image_requests import Behaviour, Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_PIECE = 1 << 16
#: a silent host lets go of its client after this long
_SILENT_SECONDS = 90.0
_VISITS = 5000


class ImageHost:
    """Serves the files of one folder by name; everything else is 404."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._behaviours: dict[str, Behaviour] = {}
        self._visits: deque[Visit] = deque(maxlen=_VISITS)
        self._closed = threading.Event()
        #: seconds before each answer, whatever is asked for
        self.delay = 0.0

    def publish(self, name: str, data: bytes, behaviour: Behaviour | None = None) -> str:
        """Serve `data` under `name`; returns the URL. Raises ValueError for a name with a path in it."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no plain file name")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        self._behaviours[name] = behaviour or Behaviour()
        return f"http://{IMAGE_HOST_NAME}/{name}"

    def visits(self, name: str) -> list[Visit]:
        """The requests for this name, oldest first."""
        return [visit for visit in list(self._visits) if visit.path == f"/{name}"]

    def close(self) -> None:
        """Let go of everybody who waits."""
        self._closed.set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer GET and HEAD."""
        request = Request(environ)
        self._visits.append(
            Visit(time.time(), request.method, request.path, request.headers.get("User-Agent", ""))
        )
        try:
            response = self._answer(request)
        except HTTPException as error:
            return error(environ, start_response)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        name = request.path.removeprefix("/")
        path = self._folder / name
        if not _NAME.fullmatch(name) or not path.is_file():
            raise NotFound
        behaviour = self._behaviours.get(name, Behaviour())
        self._closed.wait(_SILENT_SECONDS if behaviour.silent else behaviour.delay + self.delay)
        kind = behaviour.content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        response = Response(status=behaviour.status, content_type=kind, headers=dict(behaviour.headers))
        if behaviour.location:
            response.headers["Location"] = behaviour.location
            response.autocorrect_location_header = False
        self._fill(response, path.read_bytes(), behaviour)
        return response

    def _fill(self, response: Response, data: bytes, behaviour: Behaviour) -> None:
        if not behaviour.drip and not behaviour.size:
            response.data = data
            return
        response.headers["Content-Length"] = str(len(data) + behaviour.size)
        response.response = (
            self._slowly(data, behaviour.drip) if behaviour.drip else _padded(data, behaviour.size)
        )

    def _slowly(self, data: bytes, rate: float) -> Iterator[bytes]:
        """One byte at a time, so many in each second."""
        for number in range(len(data)):
            yield data[number : number + 1]
            if self._closed.wait(1 / rate):
                return


def _padded(data: bytes, size: int) -> Iterator[bytes]:
    yield data
    zeros = bytes(_PIECE)
    for start in range(0, size, _PIECE):
        yield zeros[: size - start]
