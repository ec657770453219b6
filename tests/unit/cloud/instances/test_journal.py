"""The journal and journalctl's command lines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.cloud.instances.system.journal import (
    ROTATE_BYTES,
    Entry,
    Journal,
    JournalctlError,
    Query,
    moment,
    parse_arguments,
    show,
)


def entry(text: str, unit: str = "a.service", when: float = 1000.0, boot: int = 1) -> Entry:
    return Entry(when, boot, unit, "app", 7, text)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(str(tmp_path), boot=2)
    for boot, unit, text in [(1, "a.service", "old"), (2, "a.service", "one"), (2, "b.service", "two\tx")]:
        made.append(entry(text, unit, boot=boot))
    yield made
    made.close()


def texts(journal: Journal, line: str) -> list[str]:
    return [e.text for e in journal.select(parse_arguments(line.split(), 2, 2000.0))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ["old", "one", "two\tx"]),
        ("-u a", ["old", "one"]),
        ("-xeu a.service --no-pager", ["old", "one"]),
        ("--unit=a -b", ["one"]),
        ("-b -1", ["old"]),
        ("-n 1", ["two\tx"]),
        ("-n1 -r", ["two\tx"]),
        ("-n all -r", ["two\tx", "one", "old"]),
        ("-u a -u b -n 2", ["one", "two\tx"]),
        ("--since today", ["old", "one", "two\tx"]),
        ("--since @1500", []),
        ("-g ^t", ["two\tx"]),
    ],
)
def test_selection(journal: Journal, line: str, expected: list[str]) -> None:
    """journalctl(1)."""
    assert texts(journal, line) == expected


def test_unknown_options_are_refused_in_its_words() -> None:
    with pytest.raises(JournalctlError, match="unrecognized option '--wat'"):
        parse_arguments(["--wat"], 1, 0.0)
    with pytest.raises(JournalctlError, match="requires an argument"):
        parse_arguments(["-u"], 1, 0.0)


def test_forms() -> None:
    assert show(entry("x"), "short", "ip-1") == "Jan 01 00:16:40 ip-1 app[7]: x"
    assert show(entry("x"), "cat", "ip-1") == "x"
    assert show(entry("x"), "short-iso", "ip-1") == "1970-01-01T00:16:40+0000 ip-1 app[7]: x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-5min", 86400.0 * 2 + 3300),
        ("10 min ago", 86400.0 * 2 + 3000),
        ("today", 86400.0 * 2),
        ("1970-01-02 00:00", 86400.0),
    ],
)
def test_moments(text: str, expected: float) -> None:
    """systemd.time(7)."""
    assert moment(text, 86400.0 * 2 + 3600) == expected


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), boot=1)
    for number in range(0, 3 * ROTATE_BYTES, 10_000):
        journal.append(entry(f"{number} " + "x" * 10_000))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * ROTATE_BYTES + 50_000
    journal.close()
    assert journal.select(Query(lines=1))[0].text.startswith(str(number))
