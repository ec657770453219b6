"""Line key-and-type."""

from grader.support.pictures import CONTENT_TYPES, Processed, object_of, process
from labkit.grading.api import Failed, Lab, lost

#: what the file's name says, and what the file is: only the first bytes are to be believed
_NAMES = (
    ("{}.jpg", "jpg"), ("{}", "png"), ("{}.jpeg", "jpg"), ("{}.png?v=1.2", "png"), ("{}.PNG", "png"),
    ("{}.png", "webp"), ("{}.tar.gz", "gif"), ("{}.webp?file=photo.jpg&size=2.5", "webp"),
)  # fmt: skip


def check(lab: Lab) -> None:
    """The key is your prefix and the image's id, the extension fits the image, the content type fits both.

    A name in a URL is what somebody called it: two may be the same, and any may be wrong.
    """
    images = [
        (process(lab, lab.images.make(kind, 900), name=name.format(lab.unique("photo"))), kind)
        for name, kind in _NAMES
    ]
    parts = [_keys(lab, images), _extensions(images), _types(lab, images)]
    holding, missing = lost([(not wrong, wrong) for wrong in parts])
    if holding < 1:
        raise Failed(
            missing, fraction=holding, hint="gap store (and download): prefix/id.extension, by the image's first bytes",
            expected=f"{lab.variant.prefix}/<image_id>.jpg as image/jpeg, and so on", found=missing,
        )  # fmt: skip


def _keys(lab: Lab, images: list[tuple[Processed, str]]) -> str:
    for image, _ in images:
        if image.key != f"{lab.variant.prefix}/{image.image_id}.{image.answer.get('file_extension')}":
            return f"a key is {image.key}, not your prefix, the image's id and its extension"
    return ""


def _extensions(images: list[tuple[Processed, str]]) -> str:
    for image, kind in images:
        if image.answer.get("file_extension") != kind:
            told = image.answer.get("file_extension")
            return f"{image.url.rpartition('/')[2]} is a {kind}; its extension was told as {told!r}"
    return ""


def _types(lab: Lab, images: list[tuple[Processed, str]]) -> str:
    for image, kind in images:
        found = object_of(lab, image).content_type
        if found != CONTENT_TYPES[kind]:
            return f"a {kind} was stored as {found or 'nothing'}, not {CONTENT_TYPES[kind]}"
    return ""
