"""The control interface answers who knows the token, and hands AWS's requests on."""

from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from labkit.cloud.server.control import Actions, Control


def publish(name: str, data: bytes) -> str:
    if "/" in name:
        raise ValueError(f"{name!r} is no plain file name")
    return f"http://host/{name}?{len(data)}"


def instance(name: str, wait: bool) -> Mapping[str, Any] | None:
    return {"id": name, "waited": wait} if name == "i-1" else None


@pytest.fixture
def client() -> Client:
    actions = Actions(
        status=lambda: {"up": True},
        publish=publish,
        instance=instance,
        journal=lambda *asked: [" ".join(map(str, asked))],
        run_inside=lambda *_: 0,
        denials=lambda: [{"action": "s3:PutObject"}],
    )
    return Client(Control(actions, "secret", Response("from AWS")))


TOKEN = {"X-Lab-Token": "secret"}


@pytest.mark.parametrize("headers", [{}, {"X-Lab-Token": "guess"}, {"X-Lab-Token": "gu\xe9ss"}])
def test_without_the_token_nothing_is_told(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/_lab/status", headers=headers).status_code == 403


def test_requests_are_answered_as_json(client: Client) -> None:
    assert client.get("/_lab/status", headers=TOKEN).json == {"up": True}
    assert client.get("/_lab/denials", headers=TOKEN).json == [{"action": "s3:PutObject"}]
    assert client.get("/_lab/instances/i-1?wait=1", headers=TOKEN).json == {"id": "i-1", "waited": 1.0}
    assert client.get("/_lab/instances/i-1/journal/web?lines=5", headers=TOKEN).json == ["i-1 web 5 0.0"]
    assert client.get("/_lab/instances/i-1/journal/web?since=7", headers=TOKEN).json == ["i-1 web 50 7.0"]
    assert client.put("/_lab/images/a.png", data=b"abc", headers=TOKEN).json == {"url": "http://host/a.png?3"}


@pytest.mark.parametrize("path", ["/_lab/instances/i-2", "/_lab/nothing", "/_lab/"])
def test_unknown_things_are_not_found(client: Client, path: str) -> None:
    assert client.get(path, headers=TOKEN).status_code == 404


def test_everything_else_is_aws(client: Client) -> None:
    assert client.post("/", data="Action=GetCallerIdentity").data == b"from AWS"


def test_delays_are_declared_and_what_can_not_be_is_refused() -> None:
    def delay(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked["delays"]:
            raise ValueError("there is no delay 'x'")
        return {"delays": []}

    actions = Actions(
        status=dict, publish=publish, instance=instance, journal=lambda *_: [], run_inside=lambda *_: 0,
        denials=list, delay=delay,
    )  # fmt: skip
    client = Client(Control(actions, "secret", Response("from AWS")))
    assert client.put("/_lab/delays", json={"delays": {}}, headers=TOKEN).json == {"delays": []}
    assert client.put("/_lab/delays", json={"delays": {"x": 1}}, headers=TOKEN).status_code == 400
    assert client.put("/_lab/delays", json={}, headers=TOKEN).status_code == 400
