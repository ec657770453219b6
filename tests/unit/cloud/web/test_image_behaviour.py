"""The image host behaves as badly as it is told to, and remembers who came."""

import time
from pathlib import Path

import pytest
from werkzeug.test import Client

from labkit.cloud.web.image_host import ImageHost
from labkit.cloud.web.image_requests import Behaviour


@pytest.fixture
def host(tmp_path: Path) -> ImageHost:
    return ImageHost(tmp_path)


@pytest.fixture
def client(host: ImageHost) -> Client:
    return Client(host)


def test_well_behaved_without_being_told(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"data")
    answer = client.get("/a.png")
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"data", "image/png")


def test_another_status_with_a_body(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"<html>", Behaviour(status=404, content_type="text/html", headers={"X-A": "b"}))
    answer = client.get("/a.png")
    assert (answer.status_code, answer.data, answer.headers["X-A"]) == (404, b"<html>", "b")


def test_a_redirect_leads_where_it_is_told(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"", Behaviour(status=302, location="http://169.254.169.254/latest"))
    assert client.get("/a.png").headers["Location"] == "http://169.254.169.254/latest"


def test_a_huge_picture_is_not_held_in_memory(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"head", Behaviour(size=10 << 20))
    answer = client.get("/a.png")
    assert answer.headers["Content-Length"] == str(4 + (10 << 20))
    assert len(answer.data) == 4 + (10 << 20)


def test_drop_by_drop(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"12345", Behaviour(drip=50.0))
    started = time.monotonic()
    assert client.get("/a.png").data == b"12345"
    assert time.monotonic() - started >= 0.08


@pytest.mark.parametrize("behaviour", [Behaviour(silent=True), Behaviour(delay=60)])
def test_closing_lets_go_of_who_waits(host: ImageHost, client: Client, behaviour: Behaviour) -> None:
    host.publish("a.png", b"x", behaviour)
    host.close()
    assert client.get("/a.png").data == b"x"


def test_visits_tell_agent_and_time(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"x")
    before = time.time()
    client.get("/a.png?v=1", headers={"User-Agent": "me"})
    client.get("/b.png")
    (visit,) = host.visits("a.png")
    assert (visit.method, visit.path, visit.user_agent) == ("GET", "/a.png", "me")
    assert visit.at >= before


def test_publishing_again_forgets_the_behaviour(host: ImageHost, client: Client) -> None:
    host.publish("a.png", b"x", Behaviour(status=500))
    host.publish("a.png", b"x")
    assert client.get("/a.png").status_code == 200
