"""The image host serves what was published, and nothing else of this machine."""

from pathlib import Path

import pytest
from werkzeug.test import Client

from labkit.cloud.web.image_host import ImageHost


@pytest.fixture
def host(tmp_path: Path) -> ImageHost:
    (tmp_path / "secret").write_text("not to be served")
    return ImageHost(tmp_path / "images")


def test_a_published_picture_is_served_byte_for_byte(host: ImageHost) -> None:
    url = host.publish("a.png", b"\x89PNG\x00\xff")
    answer = Client(host).get(url.removeprefix("http://images.lab.example"))
    assert (answer.status_code, answer.data) == (200, b"\x89PNG\x00\xff")
    assert answer.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("path", ["/none.png", "/", "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/a/b"])
def test_anything_else_is_not_found(host: ImageHost, path: str) -> None:
    host.publish("a.png", b"x")
    assert Client(host).get(path).status_code == 404


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a\n", "x" * 200])
def test_a_name_with_a_path_in_it_is_refused(host: ImageHost, name: str) -> None:
    with pytest.raises(ValueError, match="no plain file name"):
        host.publish(name, b"x")


def test_writing_is_refused(host: ImageHost) -> None:
    assert Client(host).put("/a.png", data=b"x").status_code == 405
