"""Hand-ins that are alike: copied text is found through other names and own values; the starter and the reference tell nothing."""

import zipfile
from pathlib import Path

import pytest

from labkit.classroom import similarity
from labkit.classroom.handins import HandIn
from labkit.course.markers import with_bodies
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from tests.unit.classroom.rosters import LAB

pytestmark = pytest.mark.slow  # the library that finds copies takes long to import
#: what somebody might write into the gap `download`, unlike the reference
OWN = """
    collected = []
    opened = urlopen(image_url, timeout=3)
    while True:
        piece = opened.read(4096)
        if not piece:
            break
        collected.append(piece)
        if sum(len(each) for each in collected) > LIMIT_OF_MINE:
            raise ValueError("that picture is enormous")
    whole = b"".join(collected)
    for beginning, ending in ENDINGS.items():
        if whole.startswith(beginning):
            return whole, ending
    raise ValueError("nothing that I know")
"""
OTHER = """
    answer = requests.get(image_url, stream=True)
    assert answer.ok, answer.status_code
    data = bytearray()
    for chunk in answer.iter_content(1 << 16):
        data.extend(chunk)
    kind = imghdr.what(None, bytes(data[:64]))
    if kind not in {"jpeg", "png", "gif", "webp"}:
        return abort(400)
    return bytes(data), {"jpeg": "jpg"}.get(kind, kind)
"""


def renamed(text: str) -> str:
    for old, new in (
        ("collected", "parts"),
        ("opened", "response"),
        ("piece", "chunk"),
        ("whole", "everything"),
    ):
        text = text.replace(old, new)
    return text


def handed_in(
    folder: Path, student: str, download: str | None = None, *, solution: bool = False, values_of: str = ""
) -> HandIn:
    values = make_variant(LAB.salt, values_of or student).values()
    files = dict(Renderer(LAB.root, LAB.files).render(values, solution=solution))
    if download:
        name = next(name for name, text in files.items() if ">>> gap download" in text)
        files[name] = with_bodies(files[name], {"download": download})
    path = folder / f"{student}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return HandIn(path, path.name, student, student, sha256="x")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[similarity.Pair]:
    folder = tmp_path_factory.mktemp("in")
    return similarity.alike(
        [
            handed_in(folder, "ada@uni.edu", OWN), handed_in(folder, "bob@uni.edu", renamed(OWN)), handed_in(folder, "cy@uni.edu", OTHER),
            handed_in(folder, "dan@uni.edu"), handed_in(folder, "eve@uni.edu"), handed_in(folder, "fay@uni.edu", solution=True),
            handed_in(folder, "gil@uni.edu", solution=True),
        ],
        LAB,
    )  # fmt: skip


def test_copied_text_is_found_though_it_was_renamed(pairs: list[similarity.Pair]) -> None:
    assert [(pair.first, pair.second) for pair in pairs] == [("ada@uni.edu", "bob@uni.edu")]
    assert max(pairs[0].shares) > 0.9


def test_passages_stand_side_by_side_in_each_ones_own_words(pairs: list[similarity.Pair]) -> None:
    passage = pairs[0].passages[0]
    assert "collected.append(piece)" in passage.first
    assert "parts.append(chunk)" in passage.second


def test_starters_and_references_are_alike_and_tell_nothing(pairs: list[similarity.Pair]) -> None:
    assert not {"dan@uni.edu", "eve@uni.edu", "fay@uni.edu", "gil@uni.edu"} & {
        name for pair in pairs for name in (pair.first, pair.second)
    }


def test_a_copied_file_tells_whose_values_it_holds(tmp_path: Path) -> None:
    found = [
        handed_in(tmp_path, "ada@uni.edu", OWN),
        handed_in(tmp_path, "bob@uni.edu", OWN, values_of="ada@uni.edu"),
        handed_in(tmp_path, "cy@uni.edu"),
    ]
    foreign = similarity.foreign_values(found, LAB)
    assert {(each.person, each.of) for each in foreign} == {("bob@uni.edu", "ada@uni.edu")}
    assert make_variant(LAB.salt, "ada@uni.edu").code in {each.value for each in foreign}


def test_the_page_says_that_it_is_no_verdict_and_escapes_what_was_written(
    pairs: list[similarity.Pair],
) -> None:
    evil = similarity.Pair("a", "b", (1.0, 1.0), (similarity.Passage("f", "<script>alert(1)</script>", "x"),))
    text = similarity.page([*pairs, evil], [similarity.Foreign("a", "b", "f", "abcdef")])
    assert "no verdict" in text
    assert "<script" not in text
    assert "abcdef, which is b" in text


def test_broken_markers_and_nothing_written_are_nobody(tmp_path: Path) -> None:
    broken = tmp_path / "z.zip"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("main.tf", "# >>> gap server-door\nno end")
    found = [
        HandIn(broken, "z.zip", "zoe@uni.edu", "zoe@uni.edu", sha256="x"),
        handed_in(tmp_path, "ada@uni.edu"),
    ]
    assert similarity.alike(found, LAB) == []
