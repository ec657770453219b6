"""The pictures that a step sends through the lab: sample files, the student's own, or a URL's.

What belongs here: finding and reading them, with an error that says which one is wrong. What does not:
judging their content, which is the student's server's task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from labkit.base.errors import UsageError

MAX_BYTES = 100 << 20
KINDS = {".jpg", ".jpeg", ".png", ".gif", ".webp"}
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0


@dataclass(frozen=True)
class Picture:
    """One picture: the name it is served under, and its bytes."""

    name: str
    data: bytes


def collect(sources: Sequence[str], *, silence: float = READ_SECONDS) -> list[Picture]:
    """The pictures that files, folders and http(s) URLs in `sources` hold, each name used once.

    A URL may be silent for `silence` seconds.

    Raises UsageError naming the source that is missing, empty of pictures, too big, or does not answer.
    """
    pictures = [picture for source in sources for picture in _from(source, silence)]
    return [Picture(f"{number:02d}-{p.name}", p.data) for number, p in enumerate(pictures, 1)]


def _from(source: str, silence: float) -> Iterator[Picture]:
    if source.lower().startswith(("http://", "https://")):
        yield _fetched(source, silence)
        return
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"There is no picture {source}.", hint="Name a file, a folder or an http(s) URL.")
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in KINDS)
        if not found:
            raise UsageError(
                f"The folder {source} holds no picture ({', '.join(sorted(KINDS))}).",
                hint="Name another folder.",
            )
        yield from (_read(p) for p in found)
    else:
        yield _read(path)


def _read(path: Path) -> Picture:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MB.", hint="Choose a smaller picture.")
        return Picture(_safe_name(path.name), path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}.", hint="Choose another picture."
        ) from error


def _fetched(url: str, silence: float) -> Picture:
    """The server inside the local cloud has no way to the real internet: we fetch, and serve it there."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=silence)
    try:
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", url, timeout=timeout, retries=False, preload_content=False)
            data = answer.read(MAX_BYTES + 1)
            answer.release_conn()
    except (urllib3.exceptions.HTTPError, UnicodeError) as error:
        raise UsageError(
            f"{url} did not give a picture: {_plain(error, silence)}.",
            hint="Check the address, or name a file instead.",
        ) from error
    if answer.status != 200:
        raise UsageError(f"{url} answered {answer.status}, not 200.", hint="Check the address.")
    if len(data) > MAX_BYTES:
        raise UsageError(f"{url} is larger than {MAX_BYTES >> 20} MB.", hint="Choose a smaller picture.")
    return Picture(_safe_name(Path(urlsplit(url).path).name or "picture"), data)


def _plain(error: Exception, silence: float) -> str:
    import urllib3

    match error:
        case urllib3.exceptions.LocationParseError() | UnicodeError():
            return "this is no address"
        case urllib3.exceptions.NameResolutionError():
            return "no host has this name, as far as this machine knows"
        case urllib3.exceptions.NewConnectionError():
            return "the connection was refused"
        case urllib3.exceptions.ConnectTimeoutError():
            return f"nobody answered within {CONNECT_SECONDS:.0f} s"
        case urllib3.exceptions.ReadTimeoutError():
            return f"it connected, then was silent for {silence:g} s"
    return str(error.args[-1] if error.args else error)


def _safe_name(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    return kept.lstrip(".-")[-80:] or "picture"
