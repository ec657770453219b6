"""S3: uploads by an HTML form, as far as their outer shape goes."""

import contextlib
import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

FORM = "multipart/form-data; boundary=x"
KEY = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nmine\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n'
END = b"--x--\r\n"


def post(live: Any, path: str, kind: str, body: bytes) -> tuple[int, str]:
    """The status, and the code of the error."""
    headers = live.signed("s3", "POST", path, body, {"Content-Type": kind})
    where = urlsplit(live.clients.target.endpoint_url)
    with contextlib.closing(http.client.HTTPConnection(where.netloc, timeout=20)) as connection:
        connection.request("POST", path, body, headers)
        with connection.getresponse() as answer:
            said = answer.read().decode()
    return answer.status, said.partition("<Code>")[2].partition("</Code>")[0]


def test_a_form_uploads_an_object(live: Any) -> None:
    """S3 API reference, "POST Object"."""
    bucket = live.bucket()
    assert post(live, f"/{bucket}", FORM, KEY + FILE + END) == (204, "")
    assert live.s3.get_object(Bucket=bucket, Key="mine")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    ("path", "kind", "body", "refused"),
    [
        ("", "text/plain", b"", (412, "PreconditionFailed")),
        ("", FORM, KEY, (400, "MalformedPOSTRequest")),
        ("", FORM, FILE + END, (400, "InvalidArgument")),
        ("", FORM, KEY + END, (400, "InvalidArgument")),
        ("/key", FORM, KEY + FILE + END, (405, "MethodNotAllowed")),
    ],
)
def test_a_post_that_is_no_form_is_refused(
    live: Any, path: str, kind: str, body: bytes, refused: tuple[int, str]
) -> None:
    """S3 API reference, "List of error codes": POST to a bucket or an object."""
    assert post(live, f"/{live.bucket()}{path}", kind, body) == refused
