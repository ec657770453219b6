"""The reference server against the lab's contract: answers, errors, the order of writing, hostile downloads."""

import hashlib
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

JPG, PNG = b"\xff\xd8\xff\xe0" + bytes(500), b"\x89PNG\r\n\x1a\n" + bytes(40)
GIF, WEBP = b"GIF89a" + bytes(40), b"RIFF\x10\0\0\0WEBPVP8 " + bytes(40)
SETTINGS = {
    "AWS_REGION": "eu-west-1", "S3_BUCKET": "ada-images", "DYNAMODB_TABLE": "ada-rows", "OBJECT_PREFIX": "ada",
    "LAB_TOKEN": "t0k3n", "PORT": "5417",
}  # fmt: skip


def denied(operation: str) -> ClientError:
    message = f"User: server is not authorized to perform: {operation} on resource: arn:aws:x"
    return ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation)


@dataclass
class Stores:
    """S3 and DynamoDB as the server sees them: what was written, in order; `refuse` names what fails."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse: dict[str, Exception] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)

    def _called(self, name: str, given: dict[str, Any]) -> None:
        if name in self.refuse:
            raise self.refuse[name]
        self.calls.append((name, given))

    def put_object(self, **given: Any) -> None:
        self._called("put_object", given)

    def put_item(self, **given: Any) -> None:
        self._called("put_item", given)
        self.row = dict(given["Item"])

    def update_item(self, **given: Any) -> None:
        self._called("update_item", given)
        assert given["Key"] == {"image_id": self.row["image_id"]}
        self.row["status"] = given["ExpressionAttributeValues"][":status"]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def server(
    imported: Callable[..., ModuleType], stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    module = imported("flask_app")
    module.make_client = lambda service: stores  # type: ignore[attr-defined]
    return module


def post(server: ModuleType, body: object) -> Any:
    return server.app.test_client().post("/process-image", json=body)


# ---- What is given ------------------------------------------------------------------------------


def test_the_index_names_service_version_and_endpoints(server: ModuleType) -> None:
    answer = server.app.test_client().get("/")
    assert answer.status_code == 200
    assert set(answer.json) == {"service", "version", "endpoints"}


def test_health(server: ModuleType) -> None:
    answer = server.app.test_client().get("/health").json
    assert answer["status"] == "healthy"
    assert datetime.fromisoformat(answer["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "body", [None, [], "x", 7, {}, {"image_url": None}, {"image_url": ""}, {"image_url": 7}]
)
def test_no_usable_url_is_400(server: ModuleType, stores: Stores, body: object) -> None:
    answer = post(server, body)
    assert answer.status_code == 400
    assert answer.json["error"]
    assert "success" not in answer.json
    assert stores.calls == []


@pytest.mark.parametrize("data", [b"", b"{", b"\xff"])
def test_no_json_is_400(server: ModuleType, data: bytes) -> None:
    answer = server.app.test_client().post("/process-image", data=data, content_type="application/json")
    assert answer.status_code == 400


# ---- One image ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data", "extension", "content_type"),
    [
        ("/a.jpg", JPG, "jpg", "image/jpeg"), ("/a.png", PNG, "png", "image/png"),
        ("/noextension", GIF, "gif", "image/gif"), ("/wrong.jpg", WEBP, "webp", "image/webp"),
        ("/a.jpeg?v=1.2.png", JPG, "jpg", "image/jpeg"),
    ],
)  # fmt: skip
def test_an_image_is_stored_recorded_and_answered(
    server: ModuleType, stores: Stores, host: Any, path: str, data: bytes, extension: str, content_type: str
) -> None:
    host.serve(path.partition("?")[0], data)
    answer = post(server, {"image_url": host.url + path})
    assert answer.status_code == 200, answer.json
    result = answer.json
    assert set(result) == {
        "success", "message", "image_id", "s3_location", "file_size", "file_extension", "timestamp", "server_ms",
    }  # fmt: skip
    key = f"ada/{uuid.UUID(result['image_id'])}.{extension}"
    assert result["success"] is True
    assert result["s3_location"] == f"s3://ada-images/{key}"
    assert (result["file_size"], result["file_extension"]) == (len(data), extension)
    assert stores.names == ["put_item", "put_object", "update_item"]
    assert stores.calls[0][1]["Item"]["status"] == {"S": "pending"}
    assert stores.calls[1][1] == {
        "Bucket": "ada-images", "Key": key, "Body": data, "ContentType": content_type,
    }  # fmt: skip
    assert stores.row == {
        "image_id": {"S": result["image_id"]}, "s3_bucket": {"S": "ada-images"}, "s3_key": {"S": key},
        "original_url": {"S": host.url + path}, "file_extension": {"S": extension},
        "file_size": {"N": str(len(data))}, "sha256": {"S": hashlib.sha256(data).hexdigest()},
        "status": {"S": "processed"}, "created_at": {"S": result["timestamp"]},
        "processed_by": {"S": "flask_ec2_server"}, "lab_token": {"S": "t0k3n"},
    }  # fmt: skip
    assert datetime.fromisoformat(result["timestamp"]).utcoffset() == timedelta(0)


def test_a_large_image_within_the_limit_arrives_whole(server: ModuleType, stores: Stores, host: Any) -> None:
    data = PNG + bytes(server.MAX_BYTES - len(PNG))
    assert post(server, {"image_url": host.serve("/big.png", data)}).status_code == 200
    assert stores.calls[1][1]["Body"] == data


def test_a_redirect_is_followed(server: ModuleType, host: Any) -> None:
    host.serve("/a.png", PNG)
    assert (
        post(server, {"image_url": host.serve("/old", b"", status=302, Location="/a.png")}).status_code == 200
    )


# ---- Stores that refuse -------------------------------------------------------------------------


def test_a_refused_row_leaves_no_object(server: ModuleType, stores: Stores, host: Any) -> None:
    stores.refuse["put_item"] = denied("dynamodb:PutItem")
    answer = post(server, {"image_url": host.serve("/a.png", PNG)})
    assert answer.status_code == 500
    assert "dynamodb:PutItem" in answer.json["error"]
    assert stores.calls == []


@pytest.mark.parametrize(
    "error", [denied("s3:PutObject"), EndpointConnectionError(endpoint_url="https://s3")]
)
def test_a_refused_object_leaves_a_failed_row(
    server: ModuleType, stores: Stores, host: Any, error: Exception
) -> None:
    stores.refuse["put_object"] = error
    answer = post(server, {"image_url": host.serve("/a.png", PNG)})
    assert answer.status_code == 500
    assert str(error) == answer.json["error"]
    assert stores.names == ["put_item", "update_item"]
    assert stores.row["status"] == {"S": "failed"}


def test_a_refused_update_leaves_a_pending_row_and_its_object(
    server: ModuleType, stores: Stores, host: Any
) -> None:
    stores.refuse["update_item"] = denied("dynamodb:UpdateItem")
    assert post(server, {"image_url": host.serve("/a.png", PNG)}).status_code == 500
    assert stores.names == ["put_item", "put_object"]
    assert stores.row["status"] == {"S": "pending"}


@pytest.mark.parametrize("name", ["S3_BUCKET", "DYNAMODB_TABLE", "OBJECT_PREFIX", "LAB_TOKEN"])
def test_a_missing_setting_is_500_and_named(
    server: ModuleType, stores: Stores, host: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    answer = post(server, {"image_url": host.serve("/a.png", PNG)})
    assert answer.status_code == 500
    assert f"{name} is None" in answer.json["error"]
    assert stores.calls == []


@pytest.mark.slow
def test_the_region_comes_from_the_environment(
    imported: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = imported("flask_app")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(module.NotConfigured, match="AWS_REGION is None"):
        module.make_client("dynamodb")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    client = module.make_client("dynamodb")
    assert client.meta.region_name == "eu-north-1"
    client.close()


# ---- Downloads that nobody should trust -----------------------------------------------------------


def refused(server: ModuleType, stores: Stores, url: str) -> str:
    answer = post(server, {"image_url": url})
    assert answer.status_code == 400, answer.json
    assert stores.calls == []
    assert "success" not in answer.json
    return str(answer.json["error"])


@pytest.mark.parametrize(("status", "body"), [(404, PNG), (500, b""), (204, b""), (206, PNG), (403, PNG)])
def test_any_status_but_200(server: ModuleType, stores: Stores, host: Any, status: int, body: bytes) -> None:
    assert str(status) in refused(server, stores, host.serve("/a.png", body, status=status))


@pytest.mark.parametrize(
    "body", [b"", b"<html>not found</html>", b"\xff\xd8", b"RIFF....WAVE", b"GIF90a", b"\0" * 99]
)
def test_empty_or_not_an_image(server: ModuleType, stores: Stores, host: Any, body: bytes) -> None:
    assert refused(server, stores, host.serve("/a.png", body))


def test_too_large(server: ModuleType, stores: Stores, host: Any) -> None:
    assert "larger" in refused(server, stores, host.serve("/a.png", PNG + bytes(server.MAX_BYTES)))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://127.0.0.1/a.png", "gopher://x", "data:image/png;base64,AAAA", "a.png",
        "//127.0.0.1/a.png", "http://", "http://[", "http://exa mple/", "https:///a.png", "javascript:1",
    ],
)  # fmt: skip
def test_other_schemes_and_broken_urls(server: ModuleType, stores: Stores, url: str) -> None:
    assert refused(server, stores, url)


def test_nobody_there(server: ModuleType, stores: Stores) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert refused(server, stores, f"http://127.0.0.1:{free.getsockname()[1]}/a.png")


def test_redirects_without_end(server: ModuleType, stores: Stores, host: Any) -> None:
    url = host.serve("/loop", b"", status=302, Location="/loop")
    assert refused(server, stores, url)
    assert len(host.requests) <= 5


def test_a_redirect_to_another_scheme(server: ModuleType, stores: Stores, host: Any) -> None:
    assert refused(server, stores, host.serve("/a", b"", status=302, Location="file:///etc/passwd"))


def drip_body(host: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    """A body without a length, a byte at a time, for ever."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + PNG)
        while not host.stopping.wait(0.05):
            handler.wfile.write(b"x")

    return answer


def drip_head(host: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    """A head that does not end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not host.stopping.wait(0.05):
            handler.wfile.write(b"x")

    return answer


def silence(host: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    """No answer at all."""
    return lambda _handler: host.stopping.wait()


@pytest.mark.parametrize("answer", [drip_body, drip_head, silence])
def test_slow_answers_end_in_time(server: ModuleType, stores: Stores, host: Any, answer: Any) -> None:
    server.DOWNLOAD_SECONDS = 0.4  # type: ignore[attr-defined]
    started = datetime.now()
    assert refused(server, stores, host.on("/slow.png", answer(host)))
    assert datetime.now() - started < timedelta(seconds=3)


def test_a_shortened_body(server: ModuleType, stores: Stores, host: Any) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n" + PNG)

    assert refused(server, stores, host.on("/a.png", answer))


@pytest.mark.parametrize(
    ("address", "metadata"),
    [
        ("169.254.169.254", True), ("169.254.0.1", True), ("::ffff:169.254.169.254", True), ("fd00:ec2::254", True),
        ("fe80::1", True), ("127.0.0.1", False), ("10.1.2.3", False), ("203.0.113.10", False), ("fd00::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_the_metadata_service(server: ModuleType, address: str, metadata: bool) -> None:
    assert server.is_metadata(address) is metadata


@pytest.mark.parametrize("spelling", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1"])
def test_the_metadata_service_is_refused_however_it_is_spelled(
    server: ModuleType, stores: Stores, host: Any, spelling: str
) -> None:
    """Loopback stands for the metadata service: names and numbers are resolved, then looked at."""
    server.METADATA_IPV6 = ip_address("127.0.0.1")  # type: ignore[attr-defined]
    url = host.serve("/a.png", PNG).replace("127.0.0.1", spelling)
    assert "not allowed" in refused(server, stores, url)
    assert host.requests == []


def test_a_redirect_to_the_metadata_service_is_refused(
    server: ModuleType, stores: Stores, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = host.serve("/secret", PNG).replace("127.0.0.1", "127.0.0.2")
    server.METADATA_IPV6 = ip_address("127.0.0.2")  # type: ignore[attr-defined]
    host_on_all = host.serve("/a", b"", status=302, Location=secret)
    assert refused(server, stores, host_on_all)
    assert [path for _, path, _ in host.requests] == ["/a"]


# ---- The starter ----------------------------------------------------------------------------------


def test_the_starter_says_what_is_not_written_yet(imported: Callable[..., ModuleType], host: Any) -> None:
    starter = imported("flask_app", solution=False)
    assert starter.app.test_client().get("/health").status_code == 200
    answer = post(starter, {"image_url": host.serve("/a.png", PNG)})
    assert answer.status_code == 501
    assert "download is not written yet" in answer.json["error"]
    assert post(starter, {}).status_code == 400
