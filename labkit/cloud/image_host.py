"""A host on the internet side that serves pictures: what the lab's image URLs point at.

What belongs here: the WSGI application of that host and its store of files. What does not: how packets
get there (labkit.cloud.network), so that a missing internet gateway breaks downloads.
"""

import mimetypes
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

from labkit.cloud.addresses import IMAGE_HOST_NAME

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


class ImageHost:
    """Serves the files of one folder by name; everything else is 404."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, name: str, data: bytes) -> str:
        """Serve `data` under `name`; returns the URL. Raises ValueError for a name with a path in it."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no plain file name")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        return f"http://{IMAGE_HOST_NAME}/{name}"

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer GET and HEAD."""
        try:
            response = self._answer(Request(environ))
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
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(path.read_bytes(), content_type=kind)
