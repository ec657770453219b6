"""Where buckets, versions, uploads and small bodies lie: SQLite, in a file or in memory.

A version is a row; the newest of a key is marked `latest`, so an object is one row of one index and a listing one range
of it. A body is one segment or, after a multipart upload, several; small ones lie in their row, large ones in files.
What a transaction has written is in the file when it ends (write-ahead log: a killed process loses nothing that it
acknowledged).

What belongs here: SQL. What does not: what rows mean, and files (bodies).
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from labkit.cloud.stores.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, region TEXT, made INTEGER, versioning TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (bucket TEXT, kind TEXT, value TEXT, PRIMARY KEY (bucket, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, key TEXT, version TEXT,
  latest INTEGER, marker INTEGER, made INTEGER, size INTEGER, etag TEXT, listed TEXT, facts TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS by_key ON versions (bucket, key, id DESC);
CREATE UNIQUE INDEX IF NOT EXISTS newest ON versions (bucket, key) WHERE latest = 1;
CREATE UNIQUE INDEX IF NOT EXISTS living ON versions (bucket, key) WHERE latest = 1 AND marker = 0;
CREATE UNIQUE INDEX IF NOT EXISTS by_version ON versions (bucket, key, version);
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, number INTEGER, bucket TEXT, key TEXT, made INTEGER, facts TEXT);
CREATE INDEX IF NOT EXISTS uploads_by_number ON uploads (number);
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, number);
CREATE TABLE IF NOT EXISTS parts (upload TEXT, number INTEGER, size INTEGER, etag TEXT, made INTEGER, facts TEXT,
  body INTEGER, PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (version INTEGER, number INTEGER, size INTEGER, body INTEGER, facts TEXT,
  PRIMARY KEY (version, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER, data BLOB);
CREATE TABLE IF NOT EXISTS completed (upload TEXT PRIMARY KEY, answer TEXT, made INTEGER) WITHOUT ROWID;
"""
_VERSION = "id, bucket, key, version, latest, marker, made, size, etag, listed, facts"


@dataclass(frozen=True)
class Bucket:
    """A bucket; `versioning` is "", Enabled or Suspended, `made` in seconds since the epoch."""

    name: str
    region: str
    made: int
    versioning: str = ""


class Version(NamedTuple):
    """One version of an object, or a delete marker; `facts` are its metadata, encryption, checksum, tags.

    `listed` is what listings tell of it besides its names, as XML: it never changes, and a page has a thousand.
    """

    id: int
    bucket: str
    key: str
    version: str
    latest: bool
    marker: bool
    made: int
    size: int
    etag: str
    listed: str = ""
    facts: Mapping[str, Any] = MappingProxyType({})


class Listed(NamedTuple):
    """An object as a listing tells it."""

    key: str
    listed: str


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is under way."""

    id: str
    number: int
    bucket: str
    key: str
    made: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """An uploaded part."""

    number: int
    size: int
    etag: str
    made: int
    facts: Mapping[str, Any]
    body: int


@dataclass(frozen=True)
class Segment:
    """A piece of a version's body; of a multipart upload, one part."""

    number: int
    size: int
    body: int
    facts: Mapping[str, Any] = field(default_factory=dict)


class Storage(Database):
    """All rows. For any thread; `transaction()` is for one at a time."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file, made where it is missing; None keeps everything in memory."""
        super().__init__(path, _SCHEMA)

    # -- buckets -------------------------------------------------------------------------------------------

    def bucket(self, name: str) -> Bucket | None:
        """A bucket by its name."""
        found = self._one("SELECT name, region, made, versioning FROM buckets WHERE name = ?", name)
        return Bucket(*found) if found else None

    def buckets(self, prefix: str = "", behind: str = "", most: int = -1, region: str = "") -> list[Bucket]:
        """Buckets in order of their names."""
        text = "SELECT name, region, made, versioning FROM buckets WHERE name > ? AND substr(name, 1, ?) = ?"
        text += " AND region = ?" if region else ""
        values = (behind, len(prefix), prefix, *((region,) if region else ()), most)
        return [Bucket(*each) for each in self._all(f"{text} ORDER BY name LIMIT ?", *values)]

    def put_bucket(self, bucket: Bucket) -> None:
        """Write a bucket's row."""
        values = (bucket.name, bucket.region, bucket.made, bucket.versioning)
        self._run("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)", *values)

    def drop_bucket(self, name: str) -> None:
        """Forget an empty bucket with its settings."""
        with self.transaction():
            self._run("DELETE FROM buckets WHERE name = ?", name)
            self._run("DELETE FROM settings WHERE bucket = ?", name)

    def is_empty(self, bucket: str) -> bool:
        """Whether nothing lies in a bucket, no old version and no delete marker."""
        return self._one("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1", bucket) is None

    def setting(self, bucket: str, kind: str) -> Any:
        """A setting of a bucket, None where it is not set."""
        found = self._one("SELECT value FROM settings WHERE bucket = ? AND kind = ?", bucket, kind)
        return json.loads(found[0]) if found else None

    def settings(self, kind: str) -> list[tuple[str, Any]]:
        """(bucket, setting) for the buckets that have one."""
        found = self._all("SELECT bucket, value FROM settings WHERE kind = ?", kind)
        return [(bucket, json.loads(value)) for bucket, value in found]

    def put_setting(self, bucket: str, kind: str, value: Any) -> None:
        """Write a setting of a bucket; None forgets it."""
        if value is None:
            self._run("DELETE FROM settings WHERE bucket = ? AND kind = ?", bucket, kind)
        else:
            self._run("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", bucket, kind, json.dumps(value))

    # -- versions ------------------------------------------------------------------------------------------

    def newest(self, bucket: str, key: str) -> Version | None:
        """The newest version of a key, which may be a delete marker."""
        text = f"SELECT {_VERSION} FROM versions WHERE bucket = ? AND key = ? AND latest = 1"
        return _version(self._one(text, bucket, key))

    def version(self, bucket: str, key: str, version: str) -> Version | None:
        """A version of a key by its id."""
        text = f"SELECT {_VERSION} FROM versions WHERE bucket = ? AND key = ? AND version = ?"
        return _version(self._one(text, bucket, key, version))

    def next_version(self) -> int:
        """The number of the next version, larger than all before. Within the transaction that makes it."""
        found = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'versions'")
        return int(found[0]) + 1 if found else 1

    def add_version(self, new: Version, segments: Sequence[Segment]) -> None:
        """Make a version the newest of its key."""
        with self.transaction():
            self._run(
                "UPDATE versions SET latest = 0 WHERE bucket = ? AND key = ? AND latest = 1",
                new.bucket,
                new.key,
            )
            values = (*new[:4], 1, *new[5:-1], json.dumps(dict(new.facts)))
            self._run("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *values)
            self._base.executemany(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
                [(new.id, each.number, each.size, each.body, json.dumps(each.facts)) for each in segments],
            )

    def put_facts(self, version: Version, facts: Mapping[str, Any]) -> None:
        """Change what is known of a version."""
        self._run("UPDATE versions SET facts = ? WHERE id = ?", json.dumps(facts), version.id)

    def drop_version(self, gone: Version) -> None:
        """Forget a version; where it was the newest, the one before it is."""
        with self.transaction():
            self._run("DELETE FROM versions WHERE id = ?", gone.id)
            self._run("DELETE FROM segments WHERE version = ?", gone.id)
            if gone.latest:
                self._run(
                    "UPDATE versions SET latest = 1 WHERE id = (SELECT id FROM versions WHERE bucket = ? AND key = ? "
                    "ORDER BY id DESC LIMIT 1)",
                    gone.bucket,
                    gone.key,
                )

    def segments(self, version: int) -> list[Segment]:
        """The pieces of a version's body, in order."""
        text = "SELECT number, size, body, facts FROM segments WHERE version = ? ORDER BY number"
        return [Segment(each[0], each[1], each[2], json.loads(each[3])) for each in self._all(text, version)]

    # -- ranges --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Several looks at one and the same state."""
        with self._lock:
            yield

    def objects_behind(self, bucket: str, start: str, *, with_start: bool) -> Iterator[Listed]:
        """Objects in order of their keys, read as they are taken; only within `reading`."""
        text = (
            f"SELECT key, listed FROM versions INDEXED BY living WHERE bucket = ? AND key {'>=' if with_start else '>'} ? "
            "AND latest = 1 AND marker = 0 ORDER BY key"
        )
        return map(Listed._make, self._base.execute(text, (bucket, start)))

    def versions_behind(self, bucket: str, start: str, below: int | None) -> Iterator[Version]:
        """Versions in order of their keys, the newest first: those of later keys than `start`, and of `start` itself
        those older than the number `below` (None: all of them). Their facts are not read. Only within `reading`.
        """
        order = "ORDER BY key, id DESC"
        columns = _VERSION.removesuffix(", facts")
        same = f"SELECT {columns} FROM versions WHERE bucket = ? AND key = ? AND id < ? {order}"
        later = f"SELECT {columns} FROM versions WHERE bucket = ? AND key > ? {order}"
        limit = below if below is not None else 1 << 62
        for text, values in ((same, (bucket, start, limit)), (later, (bucket, start))):
            for each in self._base.execute(text, values):
                yield Version(*each)

    def uploads_behind(self, bucket: str, start: str, number: int | None) -> Iterator[Upload]:
        """Uploads in order of their keys, the oldest first: those of later keys, and of `start` itself those made after
        `number` (None: none of them). Only within `reading`.
        """
        order, columns = "ORDER BY key, number", "id, number, bucket, key, made, facts"
        same = f"SELECT {columns} FROM uploads WHERE bucket = ? AND key = ? AND number > ? {order}"
        later = f"SELECT {columns} FROM uploads WHERE bucket = ? AND key > ? {order}"
        limit = number if number is not None else 1 << 62
        for text, values in ((same, (bucket, start, limit)), (later, (bucket, start))):
            for each in self._base.execute(text, values):
                yield _upload(each)

    def older_than(self, bucket: str, made: int, prefix: str) -> list[Version]:
        """All versions below a prefix that were made before a moment, for those that end objects."""
        text = f"SELECT {_VERSION} FROM versions WHERE bucket = ? AND substr(key, 1, ?) = ? AND made < ? ORDER BY key, id"
        return [_row(each) for each in self._all(text, bucket, len(prefix), prefix, made)]

    # -- uploads -------------------------------------------------------------------------------------------

    def next_upload(self) -> int:
        """The number of the next upload, larger than those of all that are under way. Within a transaction."""
        return int(self._one("SELECT coalesce(max(number), 0) + 1 FROM uploads")[0])

    def put_upload(self, upload: Upload) -> None:
        """Begin an upload."""
        values = (upload.id, upload.number, upload.bucket, upload.key, upload.made, json.dumps(upload.facts))
        self._run("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)", *values)

    def upload(self, bucket: str, key: str, upload: str) -> Upload | None:
        """An upload under way."""
        text = (
            "SELECT id, number, bucket, key, made, facts FROM uploads WHERE id = ? AND bucket = ? AND key = ?"
        )
        found = self._one(text, upload, bucket, key)
        return _upload(found) if found else None

    def drop_upload(self, upload: str) -> None:
        """Forget an upload and its parts."""
        with self.transaction():
            self._run("DELETE FROM uploads WHERE id = ?", upload)
            self._run("DELETE FROM parts WHERE upload = ?", upload)

    def drop_uploads_of(self, bucket: str) -> None:
        """Forget the uploads of a bucket that ends."""
        with self.transaction():
            for (upload,) in self._all("SELECT id FROM uploads WHERE bucket = ?", bucket):
                self.drop_upload(upload)

    def put_part(self, upload: str, part: Part) -> None:
        """Write a part, in place of an earlier one of its number."""
        values = (upload, part.number, part.size, part.etag, part.made, json.dumps(part.facts), part.body)
        self._run("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def parts(self, upload: str, behind: int = 0, most: int = -1) -> list[Part]:
        """The parts of an upload behind a number, in order."""
        text = "SELECT number, size, etag, made, facts, body FROM parts WHERE upload = ? AND number > ? ORDER BY number"
        found = self._all(f"{text} LIMIT ?", upload, behind, most)
        return [_part(each) for each in found]

    def put_completed(self, upload: str, answer: Mapping[str, Any], made: int) -> None:
        """Remember what completing an upload was answered: it may be asked again."""
        self._run("INSERT OR REPLACE INTO completed VALUES (?, ?, ?)", upload, json.dumps(answer), made)

    def completed(self, upload: str) -> dict[str, Any] | None:
        """What completing an upload was answered."""
        found = self._one("SELECT answer FROM completed WHERE upload = ?", upload)
        return json.loads(found[0]) if found else None

    # -- bodies --------------------------------------------------------------------------------------------

    def add_body(self, size: int, data: bytes | None) -> int:
        """A new body's number; without `data` it lies in a file."""
        with self._lock:
            return int(
                self._base.execute("INSERT INTO bodies (size, data) VALUES (?, ?)", (size, data)).lastrowid
                or 0
            )

    def body(self, number: int) -> bytes | None:
        """A body's bytes; None for one in a file."""
        found = self._one("SELECT data FROM bodies WHERE id = ?", number)
        return found[0] if found else None

    def drop_unused_bodies(self, numbers: Sequence[int]) -> list[int]:
        """Forget those of the bodies that nothing has any more; which they were."""
        gone = []
        with self.transaction():
            for number in numbers:
                self._run("DELETE FROM bodies WHERE id = ?", number)
                gone.append(number)
        return gone

    def bodies_in_use(self) -> set[int]:
        """The bodies that a version or a part has."""
        found = self._all("SELECT body FROM segments UNION SELECT body FROM parts")
        return {number for (number,) in found}

    def all_bodies(self) -> list[int]:
        """The numbers of all bodies."""
        return [number for (number,) in self._all("SELECT id FROM bodies")]


def _version(found: Any) -> Version | None:
    return _row(found) if found else None


def _row(found: Any) -> Version:
    return Version._make((*found[:-1], _facts(found[-1])))


def _upload(found: Any) -> Upload:
    upload, number, bucket, key, made, facts = found
    return Upload(upload, number, bucket, key, made, json.loads(facts))


def _part(found: Any) -> Part:
    number, size, etag, made, facts, body = found
    return Part(number, size, etag, made, json.loads(facts), body)


def _facts(text: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(text) if text != "{}" else {}
    return facts
