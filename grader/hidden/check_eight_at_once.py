"""Line eight-at-once."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from grader.support.pictures import KINDS, text
from grader.support.rows import Row, digest
from labkit.grading.api import Answer, Failed, Lab, Untried
from labkit.grading.judging.clues import next_thing

_CLIENTS, _PICTURES, _TIMES = 8, 20, 2
_HINT = "what do two requests share? Look at global variables, files, and how the key is made"


def check(lab: Lab) -> None:
    """40 images by 8 clients at a time: none lost, none doubled, none mixed up.

    What two requests share (a variable, a file, a name) works alone, and fails on the first busy day.
    """
    served = {
        lab.images.publish(data, name=f"{lab.unique('picture')}.png"): data
        for data in (_picture(lab) for _ in range(_PICTURES))
    }
    urls = list(served) * _TIMES
    lab.random.shuffle(urls)
    with ThreadPoolExecutor(max_workers=_CLIENTS) as clients:
        answers = list(clients.map(lab.process, urls))
    kind = Failed if any(answer.status == 200 for answer in answers) else Untried
    wrong = _wrong(lab, urls, answers) or _mixed_up(lab, urls, answers, served)
    if wrong:
        raise kind(
            wrong, hint=next_thing(wrong, _HINT if kind is Failed else "mend what one image alone meets first:  ./lab wire"),
            expected=f"{len(urls)} images, objects and rows", found=wrong,
        )  # fmt: skip


def _picture(lab: Lab) -> bytes:
    return lab.images.make(lab.random.choice(KINDS), lab.random.randint(500, 20_000))


def _wrong(lab: Lab, urls: list[str], answers: list[Answer]) -> str:
    lost = [answer for answer in answers if answer.status != 200 or answer.problem]
    if lost:
        return f"of {len(urls)} images some were not processed: {lost[0].text}"
    if len({answer.image_id for answer in answers}) < len(urls):
        return "several images got the same image_id"
    return ""


def _mixed_up(lab: Lab, urls: list[str], answers: list[Answer], served: Mapping[str, bytes]) -> str:
    rows = {text(row, "image_id"): row for row in lab.table.rows()}
    tags, keys, odd = lab.bucket.tags(), set[str](), dict[str, str]()
    for url, answer in zip(urls, answers, strict=True):
        row = rows.get(answer.image_id, {})
        key = text(row, "s3_key") or answer.key
        if not row or key not in tags:
            return "an image has an answer, but no row or no object"
        if key in keys:
            return "several images got the same key: one overwrote the other"
        keys.add(key)
        if text(row, "original_url") in served.keys() - {url}:
            return "an image's row tells of another image"
        for what in _differences(lab, row, key, tags[key], served[url]):
            odd.setdefault(what, url)
    alone = {what: _alone(lab, url, served[url]) for what, url in odd.items()}
    return next((what for what, differences in alone.items() if what not in differences), "")


def _differences(lab: Lab, row: Row, key: str, tag: str, data: bytes) -> Iterator[str]:
    """What is not this image's own. An entity tag is the MD5 of the bytes, but for some kinds of encryption."""
    if tag != hashlib.md5(data, usedforsecurity=False).hexdigest():
        stored = lab.bucket.object(key)
        if stored is None or stored.data != data:
            yield "an image's object does not hold its own bytes"
    for name, value in (("file_size", str(len(data))), ("sha256", digest(data))):
        if text(row, name) not in ("", value):
            yield f"an image's row does not tell its own {name}"


def _alone(lab: Lab, url: str, data: bytes) -> set[str]:
    """What is wrong with an image that nobody else is sent beside: that is the business of other lines."""
    answer = lab.process(url)
    row = lab.table.row(answer.image_id) or {}
    key = text(row, "s3_key") or answer.key
    return set(_differences(lab, row, key, "", data))
