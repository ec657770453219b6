"""Line eight-at-once."""

from concurrent.futures import ThreadPoolExecutor

from grader.support.pictures import KINDS, text
from labkit.grading.api import Answer, Failed, Lab

_CLIENTS, _PICTURES, _TIMES = 8, 10, 4


def check(lab: Lab) -> None:
    """40 images by 8 clients at a time: none lost, none doubled, none mixed up.

    What two requests share (a variable, a file, a name) works alone, and fails on the first busy day.
    """
    urls = [
        lab.images.publish(_picture(lab), name=f"{lab.unique('busy')}.png") for _ in range(_PICTURES)
    ] * _TIMES
    lab.random.shuffle(urls)
    with ThreadPoolExecutor(max_workers=_CLIENTS) as clients:
        answers = list(clients.map(lab.process, urls))
    wrong = _wrong(lab, urls, answers)
    if wrong:
        raise Failed(
            wrong, hint="what do two requests share? Look at global variables, files, and how the key is made",
            expected=f"{len(urls)} images, objects and rows", found=wrong,
        )  # fmt: skip


def _picture(lab: Lab) -> bytes:
    return lab.images.make(lab.random.choice(KINDS), lab.random.randint(500, 20_000))


def _wrong(lab: Lab, urls: list[str], answers: list[Answer]) -> str:
    lost = [answer for answer in answers if answer.status != 200]
    if lost:
        return f"of {len(urls)} images some were not processed: {lost[0].text}"
    if len({answer.image_id for answer in answers}) < len(urls):
        return "several images got the same image_id"
    if len({answer.key for answer in answers}) < len(urls):
        return "several images got the same key: one overwrote the other"
    rows = {text(row, "image_id"): row for row in lab.table.rows()}
    keys = set(lab.bucket.keys())
    for url, answer in zip(urls, answers, strict=True):
        row = rows.get(answer.image_id)
        if row is None or answer.key not in keys:
            return "an image has an answer, but no row or no object"
        if text(row, "original_url") != url or text(row, "s3_key") != answer.key:
            return "an image's row tells of another image"
    return ""
