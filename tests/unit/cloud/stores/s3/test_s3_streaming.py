"""Bodies are never held whole: memory stays as it is, however large they are."""

import hashlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.cloud.stores.s3_door import KEY, REGION, SECRET, client_of

SERVER = """
import sys, time
from pathlib import Path
from tests.unit.cloud.stores.s3_door import open_s3
with open_s3(Path(sys.argv[1])) as (_, url):
    print(url, flush=True)
    sys.stdin.read()
"""
PIECE = os.urandom(1 << 20)


class Server:
    """S3 in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", SERVER, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    @property
    def memory(self) -> int:
        """The most that it has ever held, in bytes."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024

    def close(self) -> None:
        self._process.communicate("")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


def put(url: str, path: str, megabytes: int) -> str:
    """Put an object of so many megabytes, signed with its hash, piece by piece; its MD5."""
    signed, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    for _ in range(megabytes):
        signed.update(PIECE)
        md5.update(PIECE)
    headers = {"x-amz-content-sha256": signed.hexdigest(), "Content-Length": str(megabytes << 20)}
    request = AWSRequest("PUT", f"{url}{path}", headers, b"")
    signer = auth.S3SigV4Auth(Credentials(KEY, SECRET), "s3", REGION)
    signer.payload = lambda _: signed.hexdigest()  # type: ignore[method-assign]
    signer.add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    connection.request("PUT", path, (PIECE for _ in range(megabytes)), dict(request.headers.items()))
    with connection.getresponse() as answer:
        assert answer.status == 200, answer.read()
    connection.close()
    return md5.hexdigest()


def check(server: Server, megabytes: int, room: int) -> float:
    """One object that large written, read and copied; the seconds that took."""
    s3 = client_of(server.url, read_timeout=600)
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    put(server.url, "/bucket/small", 1)
    s3.get_object(Bucket="bucket", Key="small")["Body"].read()
    before, begun = server.memory, time.monotonic()
    md5 = put(server.url, "/bucket/large", megabytes)
    assert s3.head_object(Bucket="bucket", Key="large")["ETag"] == f'"{md5}"'
    body, got = s3.get_object(Bucket="bucket", Key="large")["Body"], hashlib.md5(usedforsecurity=False)
    while piece := body.read(1 << 20):
        got.update(piece)
    assert got.hexdigest() == md5
    s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/large")
    assert server.memory - before < room
    return time.monotonic() - begun


def check_parts(server: Server, megabytes: int, room: int) -> None:
    """One object that large, by parts of 32 MB, and read."""
    s3, part = client_of(server.url, read_timeout=600), PIECE * (32 * 1024 * 1024 // len(PIECE))
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    put(server.url, "/bucket/small", 1)
    before, named = server.memory, {"Bucket": "bucket", "Key": "large"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    parts = []
    for number in range(1, megabytes // 32 + 1):
        told = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": told["ETag"]})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    body, size = s3.get_object(**named)["Body"], 0
    while piece := body.read(1 << 20):
        size += len(piece)
    assert size == megabytes << 20
    assert server.memory - before < room


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells the memory")
def test_a_large_body_takes_no_more_memory_than_a_small_one(server: Server) -> None:
    """docs/s3.md: bodies are never held whole."""
    check(server, 96, 24 << 20)


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells the memory")
def test_a_large_body_by_parts_takes_no_more_memory(server: Server) -> None:
    """docs/s3.md: bodies are never held whole, those of parts neither."""
    check_parts(server, 96, 24 << 20)


@pytest.mark.processes
@pytest.mark.verify
@pytest.mark.timeout(1800)
def test_five_gigabytes_by_parts_take_less_than_200_megabytes(server: Server) -> None:
    """S3 user guide, "Uploading and copying objects using multipart upload"."""
    check_parts(server, 5 * 1024, 60 << 20)
    assert server.memory < 200 << 20


@pytest.mark.processes
@pytest.mark.verify
@pytest.mark.timeout(1800)
def test_five_gigabytes_take_less_than_200_megabytes(server: Server) -> None:
    """S3 user guide, "Uploading objects": 5 GB in one PutObject."""
    check(server, 5 * 1024, 60 << 20)
    assert server.memory < 200 << 20


@pytest.mark.processes
def test_a_body_that_ends_early_is_no_object(server: Server) -> None:
    """S3 API reference, "List of error codes": IncompleteBody; what was there stays."""
    s3 = client_of(server.url)
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket", Key="k", Body=b"before")
    request = AWSRequest("PUT", f"{server.url}/bucket/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, b"")
    signer = auth.S3SigV4Auth(Credentials(KEY, SECRET), "s3", REGION)
    signer.payload = lambda _: "UNSIGNED-PAYLOAD"  # type: ignore[method-assign]
    signer.add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.putrequest("PUT", "/bucket/k", skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(4 << 20))
    connection.endheaders()
    connection.send(PIECE)
    connection.close()
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"before"
