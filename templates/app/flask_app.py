"""The image server: downloads an image, stores it in S3, records it in DynamoDB, answers.

Its settings are variables of the service's environment: see the unit in flask_server_startup.sh.
"""

import hashlib
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, jsonify, request

CONNECT_SECONDS, DOWNLOAD_SECONDS = 3, 20
MAX_BYTES = 20 * 1024 * 1024
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
AWS_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
METADATA_IPV6 = ip_address("fd00:ec2::254")

app = Flask(__name__)
this_download = threading.local()  # each request runs in a thread of its own
creating = threading.Lock()


class BadDownload(Exception):
    """The URL does not lead to an image: the client's mistake, answered with 400."""


class NotConfigured(Exception):
    """A variable is missing in the service's environment: our mistake, answered with 500."""


class NotWritten(Exception):
    """A part of this file still has to be written: answered with 501."""


def setting(name):
    value = os.environ.get(name)
    if not value:
        raise NotConfigured(f"{name} is {value}: this service's environment does not have it")
    return value


@cache
def make_client(service):
    return boto3.client(service, region_name=setting("AWS_REGION"), config=AWS_CONFIG)


def client(service):
    """The AWS client of a service; making one is not thread-safe, using one is."""
    with creating:
        return make_client(service)


def now():
    return datetime.now(UTC).isoformat()


# ---- Downloading: input that nobody trusts -------------------------------------------------


def is_metadata(text):
    """Whether this is an address of the metadata service, which gives away our role's credentials."""
    address = ip_address(text)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address == METADATA_IPV6


class Guard:
    """Part of every connection: whatever name, number or redirect led here, look where we are."""

    def connect(self):
        super().connect()
        this_download.sockets.append(self.sock)
        if is_metadata(self.sock.getpeername()[0]):
            self.close()
            raise BadDownload("this address is not allowed")


class GuardedHTTP(Guard, urllib3.connection.HTTPConnection):
    pass


class GuardedHTTPS(Guard, urllib3.connection.HTTPSConnection):
    pass


class HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = GuardedHTTP


class HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = GuardedHTTPS


def cut(sockets):
    for each in sockets:
        with suppress(OSError):
            socket.socket.shutdown(each, socket.SHUT_RDWR)


@contextmanager
def internet():
    """`with internet() as http:` an urllib3 client for one download, at most 20 s in all.

    Its errors (nobody there, too slow, not HTTP) become BadDownload.
    """
    started = time.monotonic()
    this_download.sockets = []
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=DOWNLOAD_SECONDS),
        retries=urllib3.Retry(3, connect=0, read=0, other=0),  # follows redirects, tries once
        headers={"User-Agent": "hybrid-lab/1", "Accept-Encoding": "identity"},
    )
    http.pool_classes_by_scheme = {"http": HTTPPool, "https": HTTPSPool}
    alarm = threading.Timer(DOWNLOAD_SECONDS, cut, [this_download.sockets])
    alarm.start()
    try:
        yield http
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        raise BadDownload(f"the download failed: {error}") from error
    finally:
        alarm.cancel()
        http.clear()
    if time.monotonic() - started >= DOWNLOAD_SECONDS:
        raise BadDownload(f"the download took longer than {DOWNLOAD_SECONDS} s")


def image_extension(data):
    """What the first bytes say: "jpg", "png", "gif", "webp", or None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def download(url):
    """The bytes of the image behind `url`, and its extension. Raises BadDownload."""
    if not url.lower().startswith(("http://", "https://")):
        raise BadDownload("image_url must begin with http:// or https://")

    # >>> gap download
    #> block download
    # Now: 501. To do: GET the URL with internet(); preload_content=False, then read() no more than needed.
    # Must hold: status 200, not empty, at most MAX_BYTES, image_extension() knows it;
    # BadDownload otherwise.
    raise NotWritten("download")
    #> endblock
    # <<< gap download


# ---- Storing: the object in S3 and its row in DynamoDB --------------------------------------


def store(image, data):
    """Put the image's bytes into our bucket, with the right key and content type."""

    # >>> gap store
    #> block store
    # Now: 501. To do: client("s3").put_object.
    # Must hold: exactly these bytes, at image["s3_key"], with the type from CONTENT_TYPES.
    raise NotWritten("store")
    #> endblock
    # <<< gap store


def as_row(image, status):
    """The image as DynamoDB wants an item: every value with its type."""
    row = {name: {"S": str(value)} for name, value in image.items()}
    return row | {"file_size": {"N": str(image["file_size"])}, "status": {"S": status}}


def save(image, data):
    """Store the object and its row, so that the two always agree."""

    # >>> gap record
    #> block record
    # Now: the object is stored without a row.
    # Must hold: first the row (as_row) with status "pending", then the object, then the row's
    # status "processed", or "failed" when the object was refused; errors still reach the client.
    store(image, data)
    #> endblock
    # <<< gap record


# ---- Answering ------------------------------------------------------------------------------


@app.get("/")
def index():
    return jsonify(
        service="hybrid-lab image server",
        version="1.0",
        endpoints=["GET /", "GET /health", "POST /process-image"],
    )


@app.get("/health")
def health():
    return jsonify(status="healthy", timestamp=now())


@app.post("/process-image")
def process_image():
    started = time.perf_counter()
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        return jsonify(error="the request must be a JSON object"), 400
    url = body.get("image_url")
    if not isinstance(url, str) or not url.strip():
        return jsonify(error="image_url is missing"), 400
    image = receive(url.strip())
    return jsonify(
        success=True,
        message="Image processed",
        image_id=image["image_id"],
        s3_location=f"s3://{image['s3_bucket']}/{image['s3_key']}",
        file_size=image["file_size"],
        file_extension=image["file_extension"],
        timestamp=image["created_at"],
        server_ms=round((time.perf_counter() - started) * 1000, 1),
    )


def receive(url):
    """Download and save one image; returns what its row holds."""
    data, extension = download(url)
    image_id = str(uuid.uuid4())
    image = {
        "image_id": image_id,
        "s3_bucket": setting("S3_BUCKET"),
        "s3_key": f"{setting('OBJECT_PREFIX')}/{image_id}.{extension}",
        "original_url": url,
        "file_extension": extension,
        "file_size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "created_at": now(),
        "processed_by": "flask_ec2_server",
        "lab_token": setting("LAB_TOKEN"),
    }
    save(image, data)
    return image


@app.errorhandler(BadDownload)
def bad_download(error):
    return jsonify(error=str(error)), 400


@app.errorhandler(NotConfigured)
@app.errorhandler(ClientError)
@app.errorhandler(BotoCoreError)
def our_mistake(error):
    app.logger.exception("%s", error)
    return jsonify(error=str(error)), 500


@app.errorhandler(NotWritten)
def not_written(error):
    return jsonify(error=f"the gap {error} is not written yet"), 501
