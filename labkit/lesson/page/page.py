"""`./lab open`: the student's lab on one local page: path, images, rows, logs. No script, loopback only.

What belongs here: the small HTTP server, what is gathered, and the HTML. What does not: how hops are judged
(labkit.lesson.path.path), how logs are read (labkit.lesson.path.logs).
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from labkit.base.errors import LabError
from labkit.base.origins import foreign_page
from labkit.lesson import freshness
from labkit.lesson.context import Context
from labkit.lesson.faults import breaking
from labkit.lesson.path import logs, path
from labkit.lesson.path.invoking import invoke

NEWEST = 24
LOG_LINES = 40
MAX_IMAGE_BYTES = 20 << 20
_KINDS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


SECRET = "A fault of step 06 is at work: the path is yours to find. When you have it: ./lab break"
NEXT = "→ What was needed there, and what to do: ./lab wire"


@dataclass(frozen=True)
class View:
    """Everything that the page shows; texts as they are, not yet fit for HTML."""

    title: str
    target: str
    hops: Sequence[path.Hop] = ()
    facts: Sequence[tuple[str, str]] = ()
    objects: Sequence[Mapping[str, Any]] = ()
    rows: Sequence[Mapping[str, str]] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()


# ---- Gathering ----------------------------------------------------------------------------------------


def gather(context: Context) -> View:
    """What stands now, read through the AWS API and from the server."""
    outputs, variant = context.deployed().outputs, context.workspace.variant
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"action": "health"})
    boot = context.cloud.await_boot(outputs["InstanceId"])
    scene = path.look(context.clients, outputs, variant.port, boot)
    objects, rows = _objects(context, outputs), _rows(context, outputs)
    hops = path.follow(scene, answer.status, answer.message, answer.seconds)
    if hops[-2].state == "ok":
        hops[-1] = path.Hop(
            "store", "ok" if objects and rows else "unknown", f"{len(objects)} objects, {len(rows)} rows"
        )
    secret = answer.status != 200 and breaking.at_work(context.workspace)
    return View(
        title=f"{variant.student} · {variant.name}", target=context.target_words, hops=() if secret else hops,
        facts=(("Network", variant.vpc_cidr), ("Server", f"{scene.address}:{scene.port}"), *outputs.items()),
        objects=objects, rows=rows,
        logs={
            "Server (journal of flask-app)": logs.server(context, outputs)[-LOG_LINES:],
            "Function (CloudWatch Logs)": logs.function(context, outputs)[-LOG_LINES:],
            "Boot": logs.boot(context, outputs)[-LOG_LINES:],
        },
        warnings=[*([SECRET] if secret else []), *_older(context)],
    )  # fmt: skip


def _older(context: Context) -> Iterator[str]:
    """What of the files does not run."""
    newer, of = freshness.undeployed(context.workspace), freshness.others(context.workspace)
    if newer and of:
        yield f"What you see was deployed from work/{of}/, not from these files."
    else:
        yield from (f"{name} was saved after the last deployment: what you see is older." for name in newer)


def _objects(context: Context, outputs: Mapping[str, str]) -> list[Mapping[str, Any]]:
    answer = context.clients.client("s3").list_objects_v2(Bucket=outputs["BucketName"])
    newest = sorted(answer.get("Contents", []), key=lambda entry: entry["LastModified"], reverse=True)
    return [{"key": entry["Key"], "size": entry["Size"]} for entry in newest[:NEWEST]]


def _rows(context: Context, outputs: Mapping[str, str]) -> list[Mapping[str, str]]:
    items = context.clients.client("dynamodb").scan(TableName=outputs["TableName"], Limit=500)["Items"]
    plain: list[Mapping[str, str]] = [
        {str(name): str(next(iter(value.values()))) for name, value in item.items()} for item in items
    ]
    return sorted(plain, key=lambda row: row.get("created_at", ""), reverse=True)[:NEWEST]


def image(context: Context, key: str) -> tuple[str, bytes] | None:
    """Type and bytes of an object that is an image by its first bytes; None for anything else."""
    from botocore.exceptions import ClientError

    bucket = context.deployed().outputs["BucketName"]
    try:
        data = context.clients.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(MAX_IMAGE_BYTES)
    except ClientError:
        return None
    kind = next((kind for start, kind in _KINDS if data.startswith(start)), "")
    if not kind and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    return (kind, data) if kind else None


# ---- HTML ---------------------------------------------------------------------------------------------


#: the columns of the table, and how much of a value is shown: enough to tell it from others
_COLUMNS = {
    "image_id": 80, "status": 80, "file_extension": 80, "file_size": 80, "created_at": 80, "sha256": 12, "original_url": 80,
}  # fmt: skip
_STATES: Mapping[path.State, str] = {"ok": "passes", "bad": "stops here", "unknown": "not reached"}


def render(view: View) -> str:
    """The page. Everything that others wrote is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("page.html.jinja")
    return template.render(view=view, columns=_COLUMNS, states=_STATES, marks=path.MARKS, next=NEXT)


# ---- Serving ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serve(context: Context) -> Iterator[str]:
    """Serve the page on this machine until the body ends; gives its address, which nobody can guess."""
    token = secrets.token_urlsafe(16)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(context, token))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(context: Context, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET for the page, its style and its images, and nothing else."""

        server_version = "lab"
        sys_version = ""

        def do_GET(self) -> None:
            """One answer."""
            host = f"127.0.0.1:{self.connection.getsockname()[1]}"
            if self.headers.get("Host") != host:  # a foreign name that leads here: not our page
                return self._send(421, "text/plain", b"this page is at 127.0.0.1 only\n")
            if why := foreign_page(lambda name: self.headers.get(name) or ""):
                return self._send(403, "text/plain", f"{why}\n".encode())
            status, kind, data = _answer(context, token, self.path)
            return self._send(status, kind, data)

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            for name, value in _headers(kind, data).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the terminal is the student's."""

    return Handler


def _headers(kind: str, data: bytes) -> Mapping[str, str]:
    return {
        "Content-Type": kind, "Content-Length": str(len(data)), "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }  # fmt: skip


def _page(context: Context) -> tuple[int, str, bytes]:
    """The page as things stand, or what keeps it from being made and the next thing to do."""
    try:
        status, view = 200, gather(context)
    except LabError as error:
        said = f"{error.message} {error.hint}"
        status, view = 503, View(context.workspace.variant.student, context.target_words, warnings=[said])
    return status, "text/html; charset=utf-8", render(view).encode()


def _answer(context: Context, token: str, asked: str) -> tuple[int, str, bytes]:
    """(status, type, bytes) for a path; the token stands first in each."""
    _, given, *rest = [*asked.partition("?")[0].split("/", 2), ""]
    name = rest[0]
    if not secrets.compare_digest(given.encode(), token.encode()):
        return 404, "text/plain", b"not found\n"
    if name == "":
        return _page(context)
    if name == "style.css":
        return 200, "text/css; charset=utf-8", (context.manifest.root / "texts" / "page.css").read_bytes()
    if name.startswith("object/"):
        found = image(context, unquote(name.removeprefix("object/")))
        if found:
            return 200, found[0], found[1]
    return 404, "text/plain", b"not found\n"
