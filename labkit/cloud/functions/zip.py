"""A function's deployment package: checked, then unpacked where environments can see it.

What belongs here: what may be in a zip and where its files go. What does not: who needs the files
(see code).
"""

import io
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from labkit.cloud.functions.errors import InvalidCode

#: AWS Lambda, "Lambda quotas": deployment package, unzipped
MAX_UNZIPPED = 262_144_000
_CHUNK = 1 << 20


def unpack(data: bytes, target: Path) -> None:
    """Write the files of the zip `data` below the existing folder `target`.

    Raises InvalidCode, in AWS's words, when `data` is no zip, holds anything but plain files inside
    the folder, or is over 250 MB unzipped; `target` may then hold a part of it.
    """
    room = MAX_UNZIPPED
    with _opened(data) as archive:
        for member in _checked(archive):
            room -= _write(archive, member, target / member.filename, room)


def check(data: bytes) -> None:
    """Raise InvalidCode when `unpack` would refuse `data` by what its directory says."""
    with _opened(data) as archive:
        _checked(archive)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError) as error:
        raise _not_unzipped() from error


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if not members or not all(_is_plain(member) for member in members):
        raise _not_unzipped()
    if sum(member.file_size for member in members) > MAX_UNZIPPED:
        raise _too_large()
    return members


def _is_plain(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    return inside and kind in (0, stat.S_IFREG, stat.S_IFDIR) and not member.flag_bits & 1


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, room: int) -> int:
    """Write one member; returns its true size, which the directory of a zip may misstate."""
    try:
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        size = _copy(archive, member, path, room)
        path.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)
        return size
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, FileExistsError) as error:
        raise _not_unzipped() from error
    except (NotADirectoryError, IsADirectoryError) as error:
        raise _not_unzipped() from error


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, room: int) -> int:
    size = 0
    with archive.open(member) as source, path.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise _too_large()
            file.write(chunk)
    return size


def _not_unzipped() -> InvalidCode:
    return InvalidCode("Could not unzip uploaded file. Please check your file, then try to upload again.")


def _too_large() -> InvalidCode:
    return InvalidCode(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes")
