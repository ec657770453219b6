"""Pictures are found, read and named; what can't be is named with the next thing to do."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from labkit.base.errors import UsageError
from labkit.lesson.measuring.pictures import Picture, collect


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path.startswith("/cat") else 404
        self.send_response(status)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"cat")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_folders_and_urls_are_collected_in_order(tmp_path: Path, site: str) -> None:
    (tmp_path / "b.png").write_bytes(b"b")
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    found = collect([str(tmp_path), str(tmp_path / "b.png"), f"{site}/cat.gif?size=3"])
    assert found == [
        Picture("01-a.jpg", b"a"), Picture("02-b.png", b"b"), Picture("03-b.png", b"b"), Picture("04-cat.gif", b"cat"),
    ]  # fmt: skip


def test_names_are_made_safe_to_serve(tmp_path: Path) -> None:
    path = tmp_path / "mein Bild (ü)\n.PNG"
    path.write_bytes(b"x")
    assert collect([str(path)])[0].name == "01-mein-Bild-----.PNG"


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no picture .*none\.png"):
        collect([str(tmp_path / "none.png")])


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no picture"):
        collect([str(tmp_path)])


def test_a_url_that_answers_404_is_named(site: str) -> None:
    with pytest.raises(UsageError, match="answered 404"):
        collect([f"{site}/dog.png"])


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a:b/x.png", "http://", "https://ä..ö/x", "http://x y/"]
)
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(UsageError, match=r"did not give a picture: .+") as caught:
        collect([url])
    assert caught.value.hint


def test_a_url_where_nobody_listens_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x.png"
        with pytest.raises(UsageError, match="did not give a picture"):
            collect([url])


def test_a_url_that_never_answers_is_named() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UsageError, match="silent"):
            collect([f"http://127.0.0.1:{silent.getsockname()[1]}/x.png"], silence=0.2)
