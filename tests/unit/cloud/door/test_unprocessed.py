"""What moto breaks on is refused as AWS refuses it; what the cloud itself fails in is counted, for the host alone."""

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from labkit.aws.accounts import FULL
from labkit.aws.records import Caller, Principal
from labkit.base.errors import CloudError
from labkit.cloud.door import Door
from labkit.cloud.web.http1 import BadRequest

_BROKEN = {
    "an undefined name": (KeyError("#status"), "can't read this request of UpdateItem"),
    "a list for a map": (AttributeError("'list' object has no attribute 'items'"), "can't read this request of UpdateItem"),
    "a text for a number": (ValueError("x"), "can't read this request of UpdateItem"),
    "an endless one": (RecursionError("too deep"), "can't read this request of UpdateItem"),
    "nothing": (StopIteration(), "can't read this request of UpdateItem"),
}  # fmt: skip


SECRET = "a secret of this test alone"


class Everybody:
    """Identities of a cloud in which every key is the account's."""

    def principal(self, _: str) -> Principal:
        return FULL.holder

    def secret_key(self, _: str) -> str:
        return SECRET

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


class BrokenStore:
    """A store of our own that has a mistake in it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def answer(self, _: object) -> Any:
        raise self.error


def asked(
    error: Exception | str, caller: Caller, *, store: BrokenStore | None = None
) -> tuple[str, bytes, dict[str, int]]:
    """Status, body and the faults counted when the application raises `error`, or answers with this status."""

    def app(_: Any, start: Any) -> Iterable[bytes]:
        if isinstance(error, Exception):
            raise error
        start(error, [])
        return [b""]

    stores = {"dynamodb": store} if store else {}
    door = Door(app, Everybody(), on_change=lambda *_: None, stores=stores)  # type: ignore[arg-type]
    said: list[str] = []
    parts = door.for_caller(caller)(_request(), lambda status, headers, *_: said.append(status))  # type: ignore[arg-type,return-value,func-returns-value]
    return said[0], b"".join(parts), dict(door.faults)


def _request() -> dict[str, Any]:
    """UpdateItem, signed."""
    body, host = (
        b'{"TableName": "t", "Key": {}, "UpdateExpression": "SET #status = :s"}',
        "dynamodb.eu-west-1.amazonaws.com",
    )
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.UpdateItem",
        "Content-Type": "application/x-amz-json-1.0",
        "Host": host,
    }
    request = AWSRequest("POST", f"https://{host}/", headers, body)
    SigV4Auth(Credentials("K", SECRET), "dynamodb", "eu-west-1").add_auth(request)
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        **environ, "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SCRIPT_NAME": "",
        "CONTENT_TYPE": environ["HTTP_CONTENT_TYPE"], "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
    }  # fmt: skip


@pytest.mark.parametrize("name", _BROKEN)
def test_what_moto_breaks_on_is_a_validation_exception(name: str) -> None:
    error, words = _BROKEN[name]
    for caller in (Caller("host"), Caller("instance", "i-1")):
        status, body, faults = asked(error, caller)
        assert status.startswith("400")
        assert b"ValidationException" in body
        assert words in body.decode()
        assert faults == {}


def test_what_moto_does_not_do_is_said_to_be_not_emulated() -> None:
    status, body, _ = asked(NotImplementedError(), Caller("host"))
    assert (status[:3], b"does not emulate UpdateItem" in body) == ("400", True)


def assert_failed(answer: tuple[str, bytes, dict[str, int]], counted: int) -> None:
    """DynamoDB API reference, "Common errors": InternalServerError, HTTP 500, as the protocol writes it."""
    status, body, faults = answer
    assert status == "500 Internal Server Error"
    assert json.loads(body)["__type"].endswith("#InternalServerError")
    assert sum(faults.values()) == counted


@pytest.mark.parametrize("error", [CloudError("no sandbox"), OSError("no disk")])
def test_what_the_cloud_itself_fails_in_is_an_error_of_the_service_and_counts_for_this_machine_alone(
    error: Exception,
) -> None:
    assert_failed(asked(error, Caller("host")), 1)
    assert_failed(asked(error, Caller("instance", "i-1")), 0)


@pytest.mark.parametrize("name", _BROKEN)
def test_a_store_of_our_own_that_breaks_is_never_the_sender_s_fault(name: str) -> None:
    store = BrokenStore(_BROKEN[name][0])
    assert_failed(asked("200 OK", Caller("host"), store=store), 1)


def test_a_body_that_does_not_come_as_it_was_said_to_is_the_connection_s_to_answer() -> None:
    with pytest.raises(BadRequest):
        asked(BadRequest("400 Bad Request", "a chunk is longer than it says"), Caller("host"))


@pytest.mark.parametrize(("caller", "counted"), [(Caller("host"), 1), (Caller("instance", "i-1"), 0), (Caller("function", "f"), 0)])  # fmt: skip
def test_a_5xx_that_a_student_s_own_program_met_is_not_our_trouble(caller: Caller, counted: int) -> None:
    _, _, faults = asked("503 Service Unavailable", caller)
    assert sum(faults.values()) == counted
