"""DynamoDB behind the door: what the door has read in, the answer's bytes out.

What belongs here: answers and errors as the protocol writes them (Smithy: "AWS JSON 1.0 protocol"). What does not:
what the operations do (dynamodb).
"""

import functools
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from labkit.cloud.door.contexts import Source
from labkit.cloud.door.middleware import Told
from labkit.cloud.stores.dynamodb.errors import DynamoError
from labkit.cloud.stores.dynamodb.service import DynamoDB

_KINDS = {
    "ValidationException": "com.amazon.coral.validate",
    "SerializationException": "com.amazon.coral.service",
}
#: operations whose answer has no body at all
_SILENT = ("TagResource", "UntagResource")
#: what answers can be packed by, and how many bytes are not worth it
_PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": functools.partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
}
_SHORT = 4096


class DynamoApi:
    """DynamoDB's tables as the door asks them."""

    def __init__(self, service: DynamoDB) -> None:
        self._service = service

    def answer(self, source: Source) -> Told:
        """The answer to one request; what DynamoDB refuses is one too."""
        asked = source.asked
        try:
            answer = self._service.answer(asked.operation, asked.region, asked.parameters)
            return _told(200, None if asked.operation in _SILENT else answer, _packing(source))
        except DynamoError as error:
            kind = f"{_KINDS.get(error.code, 'com.amazonaws.dynamodb.v20120810')}#{error.code}"
            words = (
                "Message"
                if error.code in ("SerializationException", "TransactionCanceledException")
                else "message"
            )
            return _told(400, {"__type": kind, words: error.message, **error.members}, "")


def _packing(source: Source) -> str:
    """How a long answer is packed: gzip or deflate, what the request takes first, "" for not at all."""
    accepted = str(source.environ.get("HTTP_ACCEPT_ENCODING", ""))
    if not accepted:
        return ""
    return parse_accept_header(accepted, Accept).best_match(_PACKINGS, "")


def _told(status: int, answer: dict[str, Any] | None, packing: str) -> Told:
    text = "" if answer is None else json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", "surrogatepass")
    headers = [("Server", "Server"), ("Content-Type", "application/x-amz-json-1.0")]
    if packing and len(body) > _SHORT:
        headers.append(("Content-Encoding", packing))
        body = _PACKINGS[packing](body)
    headers += [("Content-Length", str(len(body))), ("x-amz-crc32", str(zlib.crc32(body)))]
    return Told("200 OK" if status == 200 else "400 Bad Request", headers, [body])
