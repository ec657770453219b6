"""The image host on the internet: pictures made for this run, served as the check wants them served.

What belongs here: making bytes, publishing, asking who came. What does not: the host (labkit.cloud.web.image_host).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from labkit.cloud.client.lifecycle import LocalCloud
from labkit.cloud.web.image_requests import Behaviour, Visit

Kind = Literal["jpg", "png", "gif", "webp"]

_FIRST: Mapping[str, bytes] = {
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF89a",
    "webp": b"RIFF\x24\x00\x00\x00WEBP",
}


@dataclass(frozen=True)
class Images:
    """The host of one cloud; `rng` and `unique` are the check's own."""

    cloud: LocalCloud
    rng: random.Random
    unique: Callable[[str], str]

    def make(self, kind: Kind | str = "png", size: int = 5000) -> bytes:
        """`size` bytes that begin as an image of this kind does ("jpg", "png", "gif", "webp"), the rest random.

        With "" as kind: random bytes that begin like no image. A size below the kind's first bytes cuts them.
        """
        first = _FIRST.get(kind, b"\x00not an image")
        return (first + self.rng.randbytes(max(0, size - len(first))))[:size]

    def publish(self, data: bytes, *, name: str = "", behaviour: Behaviour | None = None) -> str:
        """Serve `data` under `name` ("": a fresh one, .png); returns its URL. Names may hold a query: "a.png?v=1.2"."""
        plain, _, query = (name or self.unique("picture") + ".png").partition("?")
        about = urlencode({"behaviour": _encoded(behaviour)}) if behaviour else ""
        url = str(self.cloud.ask("PUT", f"images/{quote(plain)}?{about}", data)["url"])
        return f"{url}?{query}" if query else url

    def visits(self, url: str) -> list[Visit]:
        """Who asked for this URL (whatever the query), oldest first."""
        name = url.partition("?")[0].rsplit("/", 1)[-1]
        return [Visit(**visit) for visit in self.cloud.ask("GET", f"images/{quote(name)}/visits")]


def _encoded(behaviour: Behaviour) -> str:
    import json

    return json.dumps(asdict(behaviour))
