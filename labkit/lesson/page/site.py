"""The page of one student's lab: what the server of `./lab open` serves.

What belongs here: putting view, rendering and acting together. What does not: each of them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from labkit.base.errors import LabError, StateError
from labkit.cloud.client.control_client import Endpoint
from labkit.deploy.targets import Clients
from labkit.lesson.context import Context
from labkit.lesson.page.acting import STEPS, Runner, step_command
from labkit.lesson.page.rendering import render
from labkit.lesson.page.view import gather, stamp

MAX_IMAGE_BYTES = 20 << 20
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)
#: the page's own files, and of which type each is
_FILES: Mapping[str, str] = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}


class LabSite:
    """See labkit.lesson.page.serving.Site."""

    def __init__(self, context: Context) -> None:
        workspace = context.workspace  # refuses now, on the terminal, and not later in the browser
        self._context = context
        self._seen: tuple[Endpoint, Clients] | None = None
        command = step_command(workspace.variant.student, solution=workspace.solution)
        self.runner = Runner(command, context.places.root)

    @property
    def _fresh(self) -> Context:
        """A context that has read nothing yet."""
        return replace(self._context)

    def page(self) -> tuple[int, str]:
        """The page as things stand."""
        now = self.stamp()  # first: what changes meanwhile is news
        return 200, render(gather(self._fresh), stamp=now, job=self.runner.job(), may_run=STEPS)

    def file(self, name: str) -> tuple[str, bytes] | None:
        """The page's style or script."""
        if name not in _FILES:
            return None
        return _FILES[name], (self._context.manifest.root / "texts" / name).read_bytes()

    def image(self, key: str) -> tuple[str, bytes] | None:
        """Type and bytes of an object that is an image by its first bytes; None for anything else."""
        from botocore.exceptions import ClientError

        context = self._fresh
        try:
            bucket = context.deployed().outputs["BucketName"]
            data = (
                context.clients.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(MAX_IMAGE_BYTES)
            )
        except (ClientError, LabError):
            return None
        kind = next((kind for start, kind in _KINDS if data.startswith(start)), "")
        if not kind and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        return (kind, data) if kind else None

    def post(self, name: str, form: Mapping[str, str]) -> str | None:
        """Start a step. Raises StateError when it can't be started now."""
        if not name.startswith("run/"):
            return None
        if not self.runner.start(name.removeprefix("run/")):
            raise StateError("Another step is running, or there is no such step.", hint="Wait for its end.")
        return "#running"

    def stamp(self) -> str:
        """The same as long as the page would be; what can't be read changes nothing."""
        try:
            now: object = stamp(self._fresh, self._clients())
        except LabError as error:
            now = error.message
        return hashlib.sha256(repr((now, self.runner.job())).encode()).hexdigest()[:16]

    def _clients(self) -> Clients | None:
        """Clients of the cloud that runs, made once for each; None where none runs: a look starts no cloud."""
        endpoint = self._context.cloud.running()
        if endpoint is None:
            return None
        if self._seen is None or self._seen[0] != endpoint:
            self._seen = endpoint, Clients(endpoint.target(self._context.region))
        return self._seen[1]
