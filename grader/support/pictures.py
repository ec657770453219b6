"""Images sent through the server, and what is left of them in the bucket and in the table.

What belongs here: asking the server inside its own machine, where no network and no group is in the way, and
finding the object and the row of one image. What does not: judging them (the checks).
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labkit.grading.api import Behaviour, Failed, Lab, Reply, Stored, Untried, cut
from labkit.grading.judging import clues

CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
KINDS = tuple(CONTENT_TYPES)
#: what a server takes for one image, with everything: its own 20 s for the download and a little more
SECONDS = 28.0


@dataclass(frozen=True)
class Processed:
    """One image that the server took: its bytes, its URL, the server's answer."""

    data: bytes
    url: str
    answer: Mapping[str, Any]

    @property
    def image_id(self) -> str:
        """The id in the server's answer."""
        return str(self.answer.get("image_id", ""))

    @property
    def key(self) -> str:
        """The object's key in the answer's s3_location."""
        parts = str(self.answer.get("s3_location", "")).removeprefix("s3://").split("/", 1)
        return parts[1] if len(parts) == 2 else ""


def ask(lab: Lab, url: object, *, seconds: float = SECONDS, port: int = 0) -> Reply:
    """POST {"image_url": url} to the server's /process-image, from inside its own machine; `port` 0 is the own one."""
    body = json.dumps({"image_url": url}).encode()
    headers = {"Content-Type": "application/json"}
    return lab.server.request(
        "POST", "/process-image", body=body, headers=headers, seconds=seconds, port=port
    )


def process(
    lab: Lab, data: bytes, *, name: str = "", behaviour: Behaviour | None = None, port: int = 0
) -> Processed:
    """Have the server process one image. Raises Failed, with the server's words, when it does not."""
    url = lab.images.publish(data, name=name, behaviour=behaviour)
    return taken(url, data, ask(lab, url, port=port))


def taken(url: str, data: bytes, reply: Reply) -> Processed:
    """The processed image behind a reply. Raises Untried for any other than 200 with a JSON object."""
    if reply.status != 200 or not isinstance(reply.json, Mapping):
        raise Untried(
            f"your server did not process a good image: {said(reply)}", hint=next_thing(said(reply)),
            expected="status 200 and a JSON object", found=said(reply),
        )  # fmt: skip
    return Processed(data, url, reply.json)


def process_some(lab: Lab, count: int) -> list[Processed]:
    """`count` images of different kinds and sizes, one after the other."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    return [process(lab, lab.images.make(kind, lab.random.randint(200, 60_000))) for kind in kinds]


def ask_all(lab: Lab, urls: list[str]) -> list[Reply]:
    """Ask for all of them at the same time; the replies in the same order."""
    with ThreadPoolExecutor(max_workers=max(1, len(urls))) as pool:
        return list(pool.map(lambda url: ask(lab, url), urls))


def said(reply: Reply) -> str:
    """A reply in one short line."""
    if not reply.status:
        return f"no answer ({reply.problem or 'nothing came'})"
    text = reply.body.decode(errors="replace").strip()
    return f"{reply.status} {cut(text, 200)}"


def next_thing(text: str) -> str:
    """What to try next after such an answer."""
    return clues.next_thing(text, "read the server's own log:  ./lab logs server")


def object_of(lab: Lab, image: Processed) -> Stored:
    """The image's object. Raises Failed when the bucket does not hold what the answer names."""
    if not str(image.answer.get("s3_location", "")).startswith(f"s3://{lab.bucket.name}/"):
        raise Failed(
            "the answer's s3_location does not lead into your bucket",
            hint="it is s3:// + bucket + / + key",
            expected=f"s3://{lab.bucket.name}/…", found=image.answer.get("s3_location", "nothing"),
        )  # fmt: skip
    stored = lab.bucket.object(image.key)
    if stored is None:
        raise Failed(
            "your server said success, but the object that it names is not in the bucket",
            hint="gap store: which key is written, and which is told?",
            expected=f"an object at {image.key}", found="nothing there",
        )  # fmt: skip
    return stored


def recorded(lab: Lab, row: Mapping[str, Any], image: Processed) -> Stored:
    """The object that the image's row names; where it names none, the one that the answer names. Raises Failed."""
    stored = lab.bucket.object(text(row, "s3_key")) if text(row, "s3_key") else None
    return stored or object_of(lab, image)


def stored_of(lab: Lab, image: Processed) -> Stored:
    """The image's object, by its row or, where that says nothing, by the answer. Raises Failed when there is none."""
    return recorded(lab, _row(lab, image) or {}, image)


def row_of(lab: Lab, image: Processed) -> Mapping[str, Any]:
    """The image's row. Raises Failed when there is none."""
    row = _row(lab, image)
    if row is None:
        raise Failed(
            "your server said success, but the table has no row with the image_id of its answer",
            hint="gap record: the row is written before the object, under the same image_id that is answered",
            expected="one row", found="none",
        )  # fmt: skip
    return row


def _row(lab: Lab, image: Processed) -> Mapping[str, Any] | None:
    """By the answer's image_id; where that leads nowhere, the row that tells the URL, which is no other image's."""
    found = lab.table.row(image.image_id)
    others = () if found else lab.table.rows()
    return found or next((row for row in others if text(row, "original_url") == image.url), None)


def text(row: Mapping[str, Any], name: str) -> str:
    """The value of an attribute, whatever its type; "" when it is missing."""
    value = row.get(name) or {}
    return str(next(iter(value.values()), ""))
