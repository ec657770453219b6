"""The grader's questions, answered over fakes of the parts that know."""

import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from labkit.aws.network.model import Flow, Hop, Verdict
from labkit.aws.records import Credentials, InterfaceRecord
from labkit.cloud.server.control import Actions, Control
from labkit.cloud.server.probing import Probing
from labkit.cloud.web.image_host import ImageHost

TOKEN = {"X-Lab-Token": "secret"}


class Wires:
    """A network of one listener; packets to any other port are dropped or refused."""

    def __init__(self, listening: int) -> None:
        self.listening = listening
        self.attached: list[InterfaceRecord] = []
        self.here: set[str] = set()

    def attach(self, interface: InterfaceRecord) -> list[socket.socket]:
        self.attached.append(interface)
        self.here.add(interface.name)
        return []

    def detach(self, name: str) -> None:
        self.here.discard(name)

    def address_of(self, name: str) -> str:
        return "10.0.0.9"

    def decide(self, flow: Flow) -> Verdict:
        return Verdict((Hop("group", flow.port != 9, "sg-1", "no rule lets it in"),))

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        if port == 9:
            raise TimeoutError
        if port != self.listening:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", port), timeout)


class Issuer:
    """Issues what it is asked for."""

    def issue(self, role_arn: str, session_name: str, *, seconds: int) -> Credentials:
        return Credentials(role_arn, session_name, "token", float(seconds))


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers one request after the other with what it was asked."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                data = client.recv(65536)
                client.sendall(b"HTTP/1.1 201 Created\r\nX-Said: yes\r\nConnection: close\r\n\r\n" + data[:4])

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def wires(port: int) -> Wires:
    return Wires(port)


@pytest.fixture
def client(wires: Wires, tmp_path: Path) -> Client:
    images = ImageHost(tmp_path)
    probing = Probing(
        wires,
        images,
        Issuer(),
        lambda: [{"at": 1.0}],
        lambda _: 0,
        lambda: True,
        dict,
        lambda: ("id", "secret"),
    )
    actions = Actions(
        status=dict, publish=images.publish, instance=lambda *_: None, journal=lambda *_: [],
        run_inside=lambda *_: 0, denials=list, further=probing.answer,
    )  # fmt: skip
    return Client(Control(actions, "secret", Response("from AWS")))


def ask(client: Client, method: str, path: str, value: Mapping[str, Any] | None = None) -> Any:
    answer = client.open(f"/_lab/{path}", method=method, json=value, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize(("to", "outcome"), [(0, "open"), (9, "dropped"), (1, "refused")])
def test_a_packet_is_sent_from_where_it_is_wanted(
    client: Client, wires: Wires, port: int, to: int, outcome: str
) -> None:
    place = {"vpc": "vpc-1", "subnet": "subnet-1", "groups": ["sg-1"]}
    asked = {"place": place, "address": "10.0.0.1", "ports": [to or port]}
    [answer] = ask(client, "POST", "packets", asked)
    assert answer["outcome"] == outcome
    assert wires.attached[0].security_group_ids == ("sg-1",)
    assert not wires.here


def test_a_dropped_packet_tells_its_hops(client: Client) -> None:
    [answer] = ask(client, "POST", "packets", {"place": {}, "address": "10.0.0.1", "ports": [9]})
    assert answer["trace"] == ["stops at group: no rule lets it in"]


def test_a_request_from_inside(client: Client, port: int) -> None:
    asked = {"method": "POST", "path": "/x", "body": "", "headers": {}, "seconds": 5, "port": port}
    answer = ask(client, "POST", "instances/i-1/requests", asked)
    assert (answer["status"], answer["headers"]["X-Said"]) == (201, "yes")
    assert base64.b64decode(answer["body"]) == b"POST"


def test_a_request_that_finds_nobody_says_so(client: Client) -> None:
    asked = {"method": "GET", "path": "/", "body": "", "headers": {}, "seconds": 1, "port": 1}
    assert "ConnectionRefusedError" in ask(client, "POST", "instances/i-1/requests", asked)["problem"]


def test_credentials_of_a_role_by_name_or_arn(client: Client) -> None:
    by_name = ask(client, "POST", "credentials", {"role": "server"})
    assert by_name["access_key_id"] == "arn:aws:iam::123456789012:role/server"
    assert ask(client, "POST", "credentials", {"role": by_name["access_key_id"]}) == by_name


def test_an_instance_that_is_down_runs_nothing(client: Client) -> None:
    assert ask(client, "GET", "instances/i-1/programs") == []
    assert ask(client, "POST", "instances/i-1/kill", {"pid": 1}) == {"killed": False}


def test_calls_are_handed_on(client: Client) -> None:
    assert ask(client, "GET", "calls") == [{"at": 1.0}]


def test_without_the_token_nothing_is_told(client: Client) -> None:
    assert client.get("/_lab/calls").status_code == 403


def test_a_behaviour_comes_with_the_picture(client: Client) -> None:
    behaviour = json.dumps({"status": 404})
    answer = client.put("/_lab/images/a.png", query_string={"behaviour": behaviour}, data=b"x", headers=TOKEN)
    assert answer.json == {"url": "http://images.lab.example/a.png"}
    assert ask(client, "GET", "images/a.png/visits") == []
