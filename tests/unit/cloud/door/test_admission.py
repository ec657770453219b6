"""Who may speak to the cloud's socket on this machine: by the headers alone."""

from collections.abc import Mapping

import pytest

from labkit.cloud.door.admission import admit
from labkit.cloud.web.http1 import BadRequest

HOME = "127.0.0.1:4566"
PRESIGNED = "X-Amz-Signature=ab"
FOLLOWED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def environ(headers: Mapping[str, str], method: str = "GET", query: str = "") -> dict[str, object]:
    found = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": method, "QUERY_STRING": query, **found}


@pytest.mark.parametrize(
    "host",
    [
        HOME, "127.0.0.1", "localhost:80", "LOCALHOST", "bucket.localhost:4566", "b.s3.localhost", "[::1]:4566",
        "s3.amazonaws.com", "my.bucket.s3.eu-west-1.amazonaws.com", "dynamodb.ap-south-1.amazonaws.com:443",
    ],
)  # fmt: skip
def test_hosts_of_the_cloud(host: str) -> None:
    admit(environ({"host": host}))


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "localhost.evil", "127.0.0.1.nip.io", "127.0.0.1@evil.example", "evil.example:80", "10.0.0.1",
        "127.0.0.2", "2130706433", "[::1].evil", "localhost:80.evil", "amazonaws.com.evil", "evil.amazonaws.com",
        "localhost,evil.example", "127.0.0.1:4566/", "\xe9.localhost", "localhost\u212a",
    ],
)  # fmt: skip
def test_foreign_hosts_are_refused(host: str) -> None:
    """A name of somebody else's may lead to loopback (DNS rebinding)."""
    with pytest.raises(BadRequest) as caught:
        admit(environ({"host": host}))
    assert caught.value.status == "403 Forbidden"


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"},
        {"origin": f"http://{HOME}", "sec-fetch-site": "same-origin"}, {"referer": "http://evil.example/"},
    ],
)  # fmt: skip
def test_programs_and_people_here_are_served(headers: Mapping[str, str]) -> None:
    admit(environ({"host": HOME, **headers}))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:3000"},
        {"origin": f"http://{HOME}.evil"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site,none"}, FOLLOWED,
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_sites_are_refused(headers: Mapping[str, str], method: str) -> None:
    """W3C, "Fetch Metadata Request Headers"; RFC 6454: Origin."""
    with pytest.raises(BadRequest):
        admit(environ({"host": HOME, **headers}, method))


def test_a_link_to_a_presigned_url_may_be_followed() -> None:
    admit(environ({"host": HOME, **FOLLOWED}, query=PRESIGNED))
    for headers, method in (
        ({**FOLLOWED, "sec-fetch-dest": "iframe"}, "GET"),
        ({**FOLLOWED, "sec-fetch-mode": "no-cors"}, "GET"),
        ({**FOLLOWED, "origin": "null"}, "GET"),
        (FOLLOWED, "POST"),
    ):
        with pytest.raises(BadRequest):
            admit(environ({"host": HOME, **headers}, method, PRESIGNED))
