"""Line key-and-type."""

import re
from dataclasses import dataclass

from grader.support.pictures import CONTENT_TYPES, Processed, ask, said, stored_of, taken
from labkit.grading.api import Failed, Lab, Stored, Untried, lost

#: what the file's name says, and what the file is: only the first bytes are to be believed
_NAMES = (
    ("{}.jpg", "jpg"), ("{}", "png"), ("{}.jpeg", "jpg"), ("{}.png?v=1.2", "png"), ("{}.PNG", "png"),
    ("{}.png", "webp"), ("{}.tar.gz", "gif"), ("{}.webp?file=photo.jpg&size=2.5", "webp"),
)  # fmt: skip


@dataclass(frozen=True)
class _Sent:
    """One image under a name: its kind, and what became of it; `refused` is the answer where it was not taken."""

    name: str
    kind: str
    image: Processed | None
    stored: Stored | None = None
    refused: str = ""


def check(lab: Lab) -> None:
    """The key is your prefix and the image's id, the extension fits the image, the content type fits both.

    A name in a URL is what somebody called it: two may be the same, and any may be wrong.
    """
    sent = [_send(lab, kind, name.format(lab.unique("picture"))) for name, kind in _NAMES]
    if not any(each.image for each in sent):
        raise Untried(
            f"your server did not process a good image: {sent[0].refused}", hint="./lab logs server",
            expected="status 200 and a JSON object", found=sent[0].refused,
        )  # fmt: skip
    parts = [_keys(lab, sent), _extensions(sent), _types(sent)]
    holding, missing = lost([(not wrong, wrong) for wrong in parts])
    if holding < 1:
        raise Failed(
            missing, fraction=holding, hint="gap store (and download): prefix/id.extension, by the image's first bytes",
            expected=f"{lab.variant.prefix}/<image_id>.jpg as image/jpeg, and so on", found=missing,
        )  # fmt: skip


def _send(lab: Lab, kind: str, name: str) -> _Sent:
    data = lab.images.make(kind, 900)
    url = lab.images.publish(data, name=name)
    reply = ask(lab, url)
    try:
        image = taken(url, data, reply)
    except Untried:
        return _Sent(name, kind, None, refused=said(reply))
    return _Sent(name, kind, image, stored_of(lab, image))


def _keys(lab: Lab, sent: list[_Sent]) -> str:
    """Prefix, id, one dot, an extension; whether it is the right one is the next part's business."""
    for each in sent:
        if each.image is None or each.stored is None:
            continue
        wanted = f"{lab.variant.prefix}/{each.image.image_id}."
        if not each.stored.key.startswith(wanted) or not _is_extension(each.stored.key.removeprefix(wanted)):
            return f"a key is {each.stored.key}, not your prefix, the image's id and its extension"
    return ""


def _is_extension(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9]{1,8}", text) is not None


def _extensions(sent: list[_Sent]) -> str:
    for each in sent:
        if each.image is None:
            return f"{each.name} is a good {each.kind}, and was refused: {each.refused}"
        told = each.image.answer.get("file_extension")
        if told != each.kind:
            return f"{each.name} is a {each.kind}; its extension was told as {told!r}"
        stem, _, extension = each.stored.key.rpartition(".") if each.stored else ("", "", "")
        if stem.endswith(f"/{each.image.image_id}") and extension != each.kind:
            return f"{each.name} is a {each.kind}; its key ends in .{extension}"
    return ""


def _types(sent: list[_Sent]) -> str:
    """The type is that of the image, or of the extension that it was wrongly given: one mistake counts once."""
    for each in sent:
        if each.image is None or each.stored is None:
            continue
        told, found = str(each.image.answer.get("file_extension")), each.stored.content_type
        if found not in (CONTENT_TYPES[each.kind], CONTENT_TYPES.get(told)):
            return f"a {each.kind} was stored as {found or 'nothing'}, not {CONTENT_TYPES[each.kind]}"
    return ""
