"""Bodies that are documents, read within bounds: whatever comes, reading it is short and ends.

What belongs here: JSON, XML and forms as plain values. What does not: what they mean (reading).
"""

import json
import re
import zlib
from urllib.parse import parse_qsl
from xml.etree import ElementTree

#: DynamoDB nests 32 levels and writes two for each; nothing of AWS's nests deeper
DEEPEST = 128
#: fields of a form, letters of a field's name
FIELDS, NAME = 20_000, 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_GZIP = b"\x1f\x8b"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Unreadable(Exception):
    """The request can't be read as one call; the text says why. `status` is the answer's."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


def too_long(most: int) -> Unreadable:
    """The body has more than `most` bytes."""
    return Unreadable(f"the body is longer than {most >> 20} MB", 413)


def read_json(data: bytes) -> object:
    """The JSON in `data`. Raises Unreadable for what is none, or nested too deeply."""
    if data.count(b"[") + data.count(b"{") > DEEPEST and _depth(data) > DEEPEST:
        raise Unreadable("the body is nested too deeply")
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise Unreadable(f"the body is no JSON: {error.msg} at {error.pos}") from error
    except ValueError as error:
        raise Unreadable("the body is no JSON") from error


def unpack(data: bytes, most: int) -> bytes:
    """What is packed in `data`, by gzip (members one after another) or deflate.

    Raises Unreadable for more bytes than `most`, or other data.
    """
    found = b""
    while True:
        reader = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            found += reader.decompress(data, most + 1 - len(found))
        except zlib.error:
            raise _not_packed() from None
        if len(found) > most:
            raise too_long(most)
        if not reader.eof or (reader.unused_data and not data.startswith(_GZIP)):
            raise _not_packed()
        if not reader.unused_data:
            return found
        data = reader.unused_data


def _not_packed() -> Unreadable:
    return Unreadable("the body is not packed as its Content-Encoding says")


def _depth(data: bytes) -> int:
    deepest = now = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            now += 1
            deepest = max(deepest, now)
        elif byte in b"]}":
            now -= 1
    return deepest


def read_xml(data: bytes) -> ElementTree.Element:
    """The XML in `data`. Raises Unreadable for what is none, or nested too deeply."""
    parser = ElementTree.XMLParser(target=_Shallow())
    try:
        parser.feed(data)
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise Unreadable("the body is no XML") from error
    return root


class _Shallow(ElementTree.TreeBuilder):
    _depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def read_fields(text: str) -> list[tuple[str, str]]:
    """The fields of a form or a query, in their order. Raises Unreadable for too many, or too long a name."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise Unreadable(f"there are more than {FIELDS} fields") from None
    if any(len(name) > NAME for name, _ in pairs):
        raise Unreadable(f"the name of a field has more than {NAME} letters")
    return pairs
