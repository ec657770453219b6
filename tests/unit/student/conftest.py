"""The reference solution's own modules, imported as a student's would be, and a host to download from."""

import importlib.util
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

import labkit
from labkit.course.manifest import load
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="session")
def rendered() -> Callable[[bool], dict[str, str]]:
    """The files of one student, as starter (False) or solution (True)."""
    manifest = load(Path(labkit.__file__).resolve().parent.parent)
    renderer = Renderer(manifest.root, manifest.files)
    variant = make_variant(manifest.salt, "ada@uni.edu")
    return lambda solution: renderer.render(variant.values(), solution=solution)


@pytest.fixture
def imported(tmp_path: Path, rendered: Callable[[bool], dict[str, str]]) -> Callable[..., ModuleType]:
    """Imports one rendered module afresh."""

    def import_one(name: str, *, solution: bool = True) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(rendered(solution)[path.name])
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return import_one


@dataclass
class Host:
    """A host on loopback; `answers` maps a path to what happens there."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, body: bytes, *, status: int = 200, **headers: str) -> str:
        """Answer `path` with this body; returns its URL."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        return self.on(path, answer)

    def on(self, path: str, answer: Answer) -> str:
        """Answer `path` by calling `answer`; returns its URL."""
        self.answers[path] = answer
        return self.url + path


@pytest.fixture
def host() -> Iterator[Host]:
    """An HTTP host of its own for one test."""
    made = Host()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.requests.append((self.command, self.path, body))
            try:
                made.answers[self.path.partition("?")[0]](self)
            except OSError:
                self.close_connection = True  # the client has gone, as it should

        do_GET = do_POST = handle_any

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()
