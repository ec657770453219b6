"""Line bad-download."""

import base64
import hashlib
from dataclasses import dataclass

from grader.support.pictures import ask, ask_all, said, text
from grader.support.server_files import Trap, a_name_of_the_metadata_service, set_trap
from labkit.grading.api import Behaviour, Failed, Lab, Reply, Untried, lost

#: really waits: a download may take 20 s
SLOW = True
_TOO_BIG = 20 * 1024 * 1024 + 1
_STATUSES = "an answer other than 200"
_CONTENTS = "not an image of up to 20 MB"
_SLOW = "never, or drop by drop"
_PLACES = "another scheme or the metadata service"
_GOOD = 3


@dataclass(frozen=True)
class _Sent:
    """One URL: what is wrong with it ("" for a good image), and how it shows that somebody went there all the same.

    `data` is what was served there, `marker` the text by which the metadata service knows it, `trap` the file that it
    leads to.
    """

    what: str
    url: str
    data: bytes = b""
    marker: str = ""
    trap: Trap | None = None


def check(lab: Lab) -> None:
    """What is no image, or comes too late, or from where it must not: 400, and nothing is stored.

    The URL comes from outside: everything behind it may be wrong, huge, endless, or meant to hurt.
    """
    good = [_served(lab, "", _picture(lab)) for _ in range(_GOOD)]
    quick, waiting = [*_statuses(lab), *_contents(lab), *good], [*_slow(lab), *_places(lab)]
    lab.random.shuffle(quick)
    lab.random.shuffle(waiting)
    sent = [*quick, *waiting]
    # one after the other, but for what takes its time: what many at once spoil is another line's
    replies = [ask(lab, each.url) for each in quick] + ask_all(lab, [each.url for each in waiting])
    if not any(reply.status for reply in replies):
        raise Untried("your server does not answer", hint="./lab logs server", found=said(replies[0]))
    asked = lab.server.metadata_requests()
    parts = dict.fromkeys((_STATUSES, _CONTENTS, _SLOW, _PLACES), "")
    for each, reply in zip(sent, replies, strict=True):
        wrong = _wrong(each, reply, asked)
        parts[each.what or _CONTENTS] = parts[each.what or _CONTENTS] or wrong
    stored = _stored(lab, [each for each in sent if each.what])
    holding, missing = lost((not wrong, f"{what}: {wrong}") for what, wrong in parts.items())
    if holding < 1 or stored:
        raise Failed(
            missing or "a bad download left an object or a row behind", fraction=min(holding, 0.75),
            hint="gap download: status, size, first bytes; and is everything behind the URL a BadDownload?",
            expected="400 each, nothing stored", found=missing or "something stored",
        )  # fmt: skip


def _wrong(sent: _Sent, reply: Reply, asked: list[str]) -> str:
    if not sent.what:
        return "a good image was refused" if reply.status == 400 else ""
    if reply.status != 400:
        return said(reply) if not reply.status else str(reply.status)
    if sent.marker and any(sent.marker in target for target in asked):
        return "400, but only after the metadata service was asked"
    if sent.trap and sent.trap.was_opened():
        return "400, but only after a file of the server was opened"
    return ""


def _stored(lab: Lab, bad: list[_Sent]) -> bool:
    """Whether one of these has a row that says processed, an object that its row names, or one of its bytes."""
    urls, tags = {each.url for each in bad}, lab.bucket.tags()
    rows = [row for row in lab.table.rows() if text(row, "original_url") in urls]
    served = {hashlib.md5(each.data, usedforsecurity=False).hexdigest() for each in bad if each.data}
    return (
        any(text(row, "status") == "processed" for row in rows)
        or any(text(row, "s3_key") in tags for row in rows)
        or not served.isdisjoint(tags.values())
    )


def _picture(lab: Lab) -> bytes:
    return lab.images.make("png", lab.random.randint(400, 9000))


def _served(lab: Lab, what: str, data: bytes, **behaviour: object) -> _Sent:
    how = Behaviour(**behaviour) if behaviour else None  # type: ignore[arg-type]
    url = lab.images.publish(data, name=lab.unique("picture") + ".png", behaviour=how)
    return _Sent(what, url, data)


def _statuses(lab: Lab) -> list[_Sent]:
    """Error pages that look like images."""
    codes = (404, lab.random.choice((401, 403, 410)), lab.random.choice((500, 502, 503)))
    return [_served(lab, _STATUSES, _picture(lab), status=status) for status in codes]


def _contents(lab: Lab) -> list[_Sent]:
    """Too big, empty, and what does not begin as an image does, whatever its name and its host say."""
    page = b"<html><body>" + lab.images.make("", 500).hex().encode()
    others = (b"", page, lab.images.make("", 900), b"%PDF-1.7\n" + lab.images.make("", 300))
    big = _served(lab, _CONTENTS, lab.images.make("png", 64), size=_TOO_BIG - 64)
    return [big, *(_served(lab, _CONTENTS, data, content_type="image/png") for data in others)]


def _slow(lab: Lab) -> list[_Sent]:
    dripping = _served(lab, _SLOW, lab.images.make("png", 4000), drip=20.0)
    return [_served(lab, _SLOW, _picture(lab), silent=True), dripping]


def _places(lab: Lab) -> list[_Sent]:
    """The metadata service by other names, and images that lie where no web server is."""
    hosts = (
        "169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
        "169.254.43518", "[fd00:ec2::254]", a_name_of_the_metadata_service(lab),
    )  # fmt: skip
    sent = [_metadata(lab, host, redirected=n == 2) for n, host in enumerate(lab.random.sample(hosts, 4))]
    file, other = set_trap(lab, _picture(lab)), set_trap(lab, _picture(lab))
    sent.append(_Sent(_PLACES, file.url, trap=file))
    inline = "data:image/png;base64," + base64.b64encode(_picture(lab)).decode()
    elsewhere = f"{lab.random.choice(('ftp', 'gopher'))}://images.lab.example/{lab.unique('picture')}.png"
    led = _served(lab, _PLACES, b"", status=302, location=other.url).url
    more = lab.random.choice((_Sent(_PLACES, inline), _Sent(_PLACES, elsewhere)))
    return [*sent, _Sent(_PLACES, led, trap=other), more]


def _metadata(lab: Lab, host: str, *, redirected: bool) -> _Sent:
    marker = lab.unique("picture")
    url = f"http://{host}/latest/meta-data/iam/security-credentials/?{marker}.png"
    led = _served(lab, _PLACES, b"", status=302, location=url).url if redirected else url
    return _Sent(_PLACES, led, marker=marker)
