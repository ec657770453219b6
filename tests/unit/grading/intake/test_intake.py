"""What is taken in is copied byte for byte; what could lead elsewhere, or grow, is refused by name."""

import io
import os
import resource
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.base.errors import StateError, UsageError
from labkit.grading.intake.intake import DamagedError, IntakeError, IntakeLimits, take_in

SMALL = IntakeLimits(files=5, total_bytes=50_000, file_bytes=20_000, archive_bytes=100_000, depth=3, ratio=10)


def zipped(path: Path, entries: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def one(path: Path, change: Callable[[zipfile.ZipInfo], None], data: bytes = b"x") -> Path:
    entry = zipfile.ZipInfo("odd")
    change(entry)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, data)
    return path


def refused(source: Path, target: Path) -> str:
    with pytest.raises(IntakeError) as error:
        take_in(source, target, SMALL)
    assert error.value.hint
    return error.value.message


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clean"


def test_folder_and_zip_give_the_same(tmp_path: Path) -> None:
    files = {"main.tf": b"a\r\n", "answers/one.md": b"\x00\xff"}
    source = tmp_path / "source"
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    from_folder = take_in(source, tmp_path / "a", SMALL)
    from_zip = take_in(zipped(tmp_path / "s.zip", files), tmp_path / "b", SMALL)
    inside = {f"ada/{name}": data for name, data in files.items()}
    from_top = take_in(zipped(tmp_path / "t.zip", inside), tmp_path / "c", SMALL)
    assert from_folder.files == from_zip.files == from_top.files == ("answers/one.md", "main.tf")
    assert from_folder.sha256 == from_zip.sha256 == from_top.sha256
    assert (tmp_path / "c" / "answers" / "one.md").read_bytes() == b"\x00\xff"


def test_the_hash_depends_on_names_and_bytes(tmp_path: Path) -> None:
    hashes = set()
    for number, files in enumerate(({"a": b"1"}, {"b": b"1"}, {"a": b"2"}, {"a": b"1", "c": b""})):
        hashes.add(take_in(zipped(tmp_path / f"{number}.zip", files), tmp_path / str(number), SMALL).sha256)
    assert len(hashes) == 4


def test_what_tools_leave_is_no_part_of_it(tmp_path: Path, target: Path) -> None:
    entries = {
        ".git/config": b"",
        "__pycache__/a.pyc": b"",
        "terraform.tfstate": b"",
        "main.tf": b"",
        "build/x": b"",
    }
    assert take_in(zipped(tmp_path / "s.zip", entries), target, SMALL).files == ("main.tf",)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "C:/evil",
        "..\\evil",
        "a/b/c/d/e",
        "x" * 300,
        "a\nb",
        "\u202e",
    ],
)
def test_names_that_lead_elsewhere(tmp_path: Path, target: Path, name: str) -> None:
    zipped(tmp_path / "s.zip", {name: b"", "other": b""})
    assert "is refused" in refused(tmp_path / "s.zip", target)
    assert not (tmp_path / "evil").exists()


def test_links_and_devices_in_zips(tmp_path: Path, target: Path) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK):

        def change(entry: zipfile.ZipInfo, kind: int = kind) -> None:
            entry.external_attr = (kind | 0o777) << 16

        assert "no plain file" in refused(one(tmp_path / "s.zip", change, b"/etc/passwd"), target)


def test_links_and_devices_in_folders(tmp_path: Path) -> None:
    makers: list[Callable[[Path], object]] = [
        lambda path: path.symlink_to("/etc/passwd"), lambda path: path.symlink_to("/etc"), os.mkfifo,
    ]  # fmt: skip
    for number, make in enumerate(makers):
        source = tmp_path / f"source{number}"
        source.mkdir()
        make(source / "odd")
        assert "odd is refused" in refused(source, tmp_path / f"clean{number}")


def test_too_many_files(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {str(number): b"" for number in range(6)})
    assert "more than 5 files" in refused(tmp_path / "s.zip", target)


def test_too_large_counts_what_comes_out(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {"big": os.urandom(20_001)})
    assert "too large" in refused(tmp_path / "s.zip", target)


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {"bomb": bytes(20 << 20)})
    assert "too large" in refused(tmp_path / "s.zip", target)
    assert (target / "bomb").stat().st_size <= SMALL.file_bytes


def test_the_ratio_is_watched(tmp_path: Path, target: Path) -> None:
    limits = IntakeLimits(ratio=10)
    zipped(tmp_path / "s.zip", {"bomb": bytes(1 << 20)})
    with pytest.raises(IntakeError, match="10 times"):
        take_in(tmp_path / "s.zip", target, limits)


def test_the_same_name_twice_in_any_case(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {"Main.tf": b"", "main.tf": b""})
    assert "twice" in refused(tmp_path / "s.zip", target)


def test_a_file_where_a_folder_is(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {"a": b"", "a/b": b"", "z": b""})
    assert "a/b is refused" in refused(tmp_path / "s.zip", target)


def test_a_nested_zip_is_a_file_like_others(tmp_path: Path, target: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../evil", b"")
    taken = take_in(zipped(tmp_path / "s.zip", {"inner.zip": inner.getvalue(), "a": b""}), target, SMALL)
    assert taken.files == ("a", "inner.zip")


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + b"x" * 50, b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip(tmp_path: Path, target: Path, data: bytes) -> None:
    (tmp_path / "s.zip").write_bytes(data)
    if data.startswith(b"PK\x05"):  # the empty zip: taken in, and nothing is in it
        assert take_in(tmp_path / "s.zip", target, SMALL).files == ()
        return
    assert refused(tmp_path / "s.zip", target)


def test_a_damaged_zip(tmp_path: Path, target: Path) -> None:
    zipped(tmp_path / "s.zip", {"a": os.urandom(5000), "b": b"x" * 5000})
    data = bytearray((tmp_path / "s.zip").read_bytes())
    data[60:90] = bytes(30)
    (tmp_path / "s.zip").write_bytes(data)
    assert refused(tmp_path / "s.zip", target)


def test_an_encrypted_entry(tmp_path: Path, target: Path) -> None:
    path = zipped(tmp_path / "s.zip", {"a": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(path, target)


def test_a_path_that_was_mistyped_is_nobodys_mark(tmp_path: Path, target: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        take_in(tmp_path / "missing.zip", target)


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_full_disk_is_not_the_students_fault(tmp_path: Path, target: Path, kind: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 9000)
    source = folder if kind == "folder" else zipped(tmp_path / "s.zip", {"a": b"x" * 9000})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (4096, before[1])
    )  # each further byte is an error, as on a full disk
    try:
        with pytest.raises(StateError, match="can't be unpacked here"):
            take_in(source, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_judged_is_a_copy_of_what_was_hashed(tmp_path: Path, target: Path) -> None:
    """Files that are swapped after they were taken in change nothing."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.tf").write_text("before")
    taken = take_in(source, target)
    (source / "main.tf").write_text("after")
    (source / "more.tf").write_text("after")
    assert (taken.folder / "main.tf").read_text() == "before"
    assert not (taken.folder / "more.tf").exists()
    assert not (taken.folder / "main.tf").samefile(source / "main.tf")


def test_records_of_the_kit_come_along_as_in_a_pack(tmp_path: Path) -> None:
    source, record = tmp_path / "source", tmp_path / "break.json"
    source.mkdir()
    (source / "main.tf").write_text("x")
    record.write_text("{}")
    records = {"record/break.json": record, "record/none.json": tmp_path / "none"}
    taken = take_in(source, tmp_path / "taken", records=records)
    assert set(taken.files) == {"main.tf", "record/break.json"}
    (source / "record").mkdir()
    (source / "record" / "break.json").write_text("own")
    again = take_in(source, tmp_path / "again", records=records)
    assert (again.folder / "record" / "break.json").read_text() == "own", "what is handed in counts"


@pytest.mark.parametrize(
    "name", ["build", "Build", ".terraform", ".lab", "terraform.tfstate.d", ".terraform.lock.hcl"]
)
def test_what_the_kit_itself_writes_is_no_part_of_a_submission_as_a_file_or_a_folder(
    tmp_path: Path, name: str
) -> None:
    for number, entry in enumerate((name, f"{name}/inner.json")):
        files = {"main.tf": b"a", entry: b"x"}
        taken = take_in(zipped(tmp_path / f"{number}.zip", files), tmp_path / f"zip-{number}", SMALL)
        assert (taken.files, taken.left_out) == (("main.tf",), (name,))
        folder = tmp_path / f"folder-{number}"
        for each, data in files.items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(data)
        taken = take_in(folder, tmp_path / f"copy-{number}", SMALL)
        assert (taken.files, taken.left_out) == (("main.tf",), (name,))


@pytest.mark.parametrize("how", ["cut off", "no zip", "a byte changed", "encrypted", "empty file"])
def test_what_nobody_can_read_is_damaged_and_no_submission(tmp_path: Path, target: Path, how: str) -> None:
    source = zipped(tmp_path / "s.zip", {"main.tf": b"hello" * 500}, compression=zipfile.ZIP_STORED)
    data = source.read_bytes()
    source.write_bytes(
        {
            "cut off": data[:-40], "no zip": b"<html>not found</html>", "a byte changed": data.replace(b"hello", b"jello", 1),
            "encrypted": _encrypted(data), "empty file": b"",
        }[how]
    )  # fmt: skip
    with pytest.raises(DamagedError) as error:
        take_in(source, target, SMALL)
    assert error.value.exit_status == 3
    assert error.value.hint


def _encrypted(data: bytes) -> bytes:
    """Both places of the flag that says so."""
    there = data.index(b"PK\x01\x02") + 8
    return data[:6] + b"\x01\x00" + data[8:there] + b"\x01\x00" + data[there + 2 :]


def test_a_folder_of_zips_is_no_submission(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "class"
    source.mkdir()
    for name in ("ada.zip", "grace.zip"):
        zipped(source / name, {"main.tf": b"a"})
    with pytest.raises(DamagedError, match=r"holds 2 zips, for example ada\.zip"):
        take_in(source, target, SMALL)
