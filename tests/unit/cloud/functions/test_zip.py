import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from labkit.cloud.functions import zip as packages
from labkit.cloud.functions.errors import InvalidCode

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def package(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_files_and_folders_are_unpacked_readable_by_all(tmp_path: Path) -> None:
    program = special("bin/tool", stat.S_IFREG)
    packages.unpack(
        package(("a.py", b"1"), ("deep/er/b.py", b"2"), ("empty/", b""), (program, b"#!")), tmp_path
    )
    assert (tmp_path / "deep/er/b.py").read_bytes() == b"2"
    assert (tmp_path / "empty").is_dir()
    assert os.stat(tmp_path / "a.py").st_mode & 0o777 == 0o644
    assert os.stat(tmp_path / "bin/tool").st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "member",
    [
        "../out.py",
        "a/../../out.py",
        "/etc/out.py",
        "a\\b.py",
        special("link", stat.S_IFLNK),
        special("pipe", stat.S_IFIFO),
        special("device", stat.S_IFCHR),
    ],
)
def test_what_is_no_plain_file_inside_is_refused(tmp_path: Path, member: str | zipfile.ZipInfo) -> None:
    target = tmp_path / "code"
    target.mkdir()
    with pytest.raises(InvalidCode, match="Could not unzip"):
        packages.unpack(package(("first.py", b""), (member, b"x")), target)
    assert list(target.iterdir()) == []
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "data",
    [b"", b"no zip", package(), package(("a.py", b"x" * 100))[:-30], package(("a", b""), ("a/b", b""))],
    ids=["empty", "text", "no members", "cut off", "a file that is a folder"],
)
def test_what_is_no_zip_is_refused_in_awss_words(tmp_path: Path, data: bytes) -> None:
    """AWS Lambda, API reference of CreateFunction: InvalidParameterValueException."""
    with pytest.raises(InvalidCode) as caught:
        packages.unpack(data, tmp_path)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", NOT_A_ZIP)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    whole = package(("a.py", bytes(range(256)) * 40))
    damaged = whole[:60] + bytes(8) + whole[68:]
    with pytest.raises(InvalidCode, match="Could not unzip"):
        packages.unpack(damaged, tmp_path)


def test_over_250_mb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """AWS Lambda, "Lambda quotas": deployment package, unzipped."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("zeros", "w", force_zip64=True) as file:
            for _ in range(251):
                file.write(bytes(1 << 20))
    for refuse in (packages.check, lambda given: packages.unpack(given, tmp_path)):
        with pytest.raises(InvalidCode, match="Unzipped size must be smaller than 262144000 bytes"):
            refuse(data.getvalue())
    assert list(tmp_path.iterdir()) == []
