"""Line bad-download."""

from collections.abc import Callable

from grader.support.pictures import ask_all, said
from labkit.grading.api import Behaviour, Failed, Lab, Reply, lost

#: really waits: a download may take 20 s
SLOW = True
_TOO_BIG = 20 * 1024 * 1024 + 1


def check(lab: Lab) -> None:
    """What is no image, or comes too late, or from where it must not: 400, and nothing is stored.

    The URL comes from outside: everything behind it may be wrong, huge, endless, or meant to hurt.
    """
    parts = {"an answer other than 200": _statuses, "not an image of up to 20 MB": _contents,
             "never, or drop by drop": _slow, "another scheme or the metadata service": _places}  # fmt: skip
    objects, rows = set(lab.bucket.keys()), _processed(lab)
    urls = {what: make(lab) for what, make in parts.items()}
    replies = iter(ask_all(lab, [url for some in urls.values() for url in some]))
    stored = set(lab.bucket.keys()) - objects or _processed(lab) - rows
    holding, missing = lost(_judged(what, [next(replies) for _ in some]) for what, some in urls.items())
    if holding < 1 or stored:
        raise Failed(
            missing or "a bad download left an object or a row behind", fraction=min(holding, 0.75),
            hint="gap download: status, size, first bytes; and is everything behind the URL a BadDownload?",
            expected="400 each, nothing stored", found=missing or "something stored",
        )  # fmt: skip


def _judged(what: str, replies: list[Reply]) -> tuple[bool, str]:
    wrong = next((reply for reply in replies if reply.status != 400), None)
    return wrong is None, f"{what}: {said(wrong).partition(' ')[0] if wrong else ''}"


def _processed(lab: Lab) -> set[str]:
    return {str(row.get("image_id")) for row in lab.table.rows() if "processed" in str(row.get("status"))}


def _publish(lab: Lab, data: bytes, **behaviour: object) -> str:
    how = Behaviour(**behaviour) if behaviour else None  # type: ignore[arg-type]
    return lab.images.publish(data, name=lab.unique("bad") + ".png", behaviour=how)


def _statuses(lab: Lab) -> list[str]:
    """Error pages that look like images."""
    return [_publish(lab, lab.images.make("png", 800), status=status) for status in (404, 500, 403)]


def _contents(lab: Lab) -> list[str]:
    text = b"<html><body>" + lab.images.make("", 500).hex().encode()
    big = _publish(lab, lab.images.make("png", 64), size=_TOO_BIG - 64)
    others = (b"", text, lab.images.make("", 900), b"%PDF-1.7\n" + lab.images.make("", 300))
    return [big, *(_publish(lab, data, content_type="image/png") for data in others)]


def _slow(lab: Lab) -> list[str]:
    data = lab.images.make("png", 4000)
    return [_publish(lab, data, silent=True), _publish(lab, data, drip=20.0)]


def _places(lab: Lab) -> list[str]:
    inside = "/latest/meta-data/iam/security-credentials/"
    pool: list[Callable[[], str]] = [
        lambda: f"http://169.254.169.254{inside}",
        lambda: f"http://[::ffff:169.254.169.254]{inside}",
        lambda: f"http://2852039166{inside}",
        lambda: _publish(lab, b"", status=302, location=f"http://169.254.169.254{inside}"),
    ]
    schemes = [
        "file:///etc/passwd",
        "ftp://images.lab.example/a.png",
        "gopher://images.lab.example/",
        "data:image/png,",
    ]
    return [make() for make in lab.random.sample(pool, 3)] + lab.random.sample(schemes, 2)
