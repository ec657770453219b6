"""Tables that platforms export and import: CSV in whatever dialect it comes, kept when it is written again.

What belongs here: delimiter, encoding, line ends, cells that a spreadsheet would run. What does not: what columns mean.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.base.errors import UsageError

_DELIMITERS = ",;\t:"
#: a table larger than this is none
_MOST_BYTES = 64 << 20
#: how a cell begins that a spreadsheet takes for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?( ?%)?|-")


@dataclass(frozen=True)
class Table:
    """A header and its rows, each as long as the header or longer, and how the file was written."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    newline: str = "\n"
    name: str = "the table"

    def column(self, *names: str) -> int:
        """The column with one of these names, whatever its capitals; -1 where there is none."""
        plain = [head.strip().casefold() for head in self.header]
        return next((plain.index(name.casefold()) for name in names if name.casefold() in plain), -1)

    def cells(self, column: int) -> list[str]:
        """All cells of a column; "" where a row is shorter, or there is no such column."""
        return [row[column].strip() if 0 <= column < len(row) else "" for row in self.rows]


def read(path: Path) -> Table:
    """The table in a file. Raises UsageError for one that can't be read, is too large, has no header or no row."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unfit(path.name, f"it is larger than {_MOST_BYTES >> 20} MB")
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise _unfit(path.name, f"{error.strerror}") from error


def parse(data: bytes, name: str) -> Table:
    """The table in `data`. Raises UsageError."""
    text, encoding = _decoded(data, name)
    delimiter = _delimiter(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise _unfit(name, f"it is no CSV: {error}") from error
    full = [tuple(row) for row in rows if any(cell.strip() for cell in row)]
    if len(full) < 2:
        raise _unfit(name, "it needs a header and a row below it")
    width = len(full[0])
    padded = tuple(row + ("",) * (width - len(row)) for row in full[1:])
    return Table(full[0], padded, delimiter, encoding, "\r\n" if "\r\n" in text else "\n", name)


def write(table: Table, *, harmless: Iterable[int] = ()) -> bytes:
    """The table as a file of its own dialect. Cells of the columns `harmless` are ours or others' words: none of them
    is a formula when a spreadsheet opens it."""
    escaped, out = set(harmless), io.StringIO(newline="")
    writer = csv.writer(out, delimiter=table.delimiter, lineterminator=table.newline)
    writer.writerow(table.header)
    for row in table.rows:
        writer.writerow([plain(cell) if n in escaped else cell for n, cell in enumerate(row)])
    return out.getvalue().encode(table.encoding)


def plain(cell: str) -> str:
    """The cell as text that no spreadsheet runs; numbers stay numbers."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def table_of(header: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> Table:
    """A new table in the usual dialect."""
    return Table(tuple(header), tuple(tuple(row) for row in rows), name=name)


def _decoded(data: bytes, name: str) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _in(data, "utf-16", name)
    if data.startswith(b"\xef\xbb\xbf"):
        return _in(data, "utf-8-sig", name)
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return _in(data, "cp1252", name)  # what spreadsheets of Windows write


def _in(data: bytes, encoding: str, name: str) -> tuple[str, str]:
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise _unfit(name, "its letters are in no encoding that is known here; save it as UTF-8") from error


def _delimiter(text: str) -> str:
    """What most of the first lines are divided by, outside quotes."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:3]]
    return max(
        _DELIMITERS,
        key=lambda mark: (
            min((line.count(mark) for line in lines if line), default=0),
            sum(line.count(mark) for line in lines),
        ),
    )


def _unfit(name: str, why: str) -> UsageError:
    return UsageError(f"{name} can't be taken: {why}.", hint="Name a CSV file as the platform exports it.")
