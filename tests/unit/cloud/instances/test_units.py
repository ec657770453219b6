"""Unit files, as systemd 252 reads them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cloud.instances.system.units import Command, UnitError, command, parse, seconds, service


def test_comments_continuations_and_empty_assignments() -> None:
    """systemd.syntax(7)."""
    text = "# c\n[Service]\n; c\nA=1\\\n  # inside\n  2\nB=x\nB=\nB=y\n"
    assert parse(text) == {"Service": {"A": ["1 2"], "B": ["y"]}}


def test_defaults_are_those_of_systemd() -> None:
    """systemd.service(5)."""
    made = service("a.service", "[Service]\nExecStart=/bin/true\n")
    assert (made.type, made.restart, made.restart_seconds, made.working_directory) == (
        "simple",
        "no",
        0.1,
        "/",
    )
    assert (made.start_limit_burst, made.start_limit_seconds, made.stop_timeout) == (5, 10.0, 90.0)
    assert made.description == "a.service"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5.0), ("500ms", 0.5), ("1min 30s", 90.0), ("2h", 7200.0), ("infinity", 0.0), ("soon", 7.0)],
)
def test_time_spans(text: str, expected: float) -> None:
    """systemd.time(7)."""
    assert seconds(text, 7.0) == expected


def test_specifiers_and_templates() -> None:
    """systemd.unit(5), "Specifiers"."""
    made = service("web@a-b.service", "[Service]\nExecStart=/bin/echo %n %p %i %I 100%%\n")
    assert made.start[0].words == ("/bin/echo", "web@a-b.service", "web", "a-b", "a/b", "100%")


def test_exec_prefixes() -> None:
    """systemd.service(5), "Command Lines": - ignores a failure, @ replaces the name."""
    assert command("-/bin/false x") == Command(("/bin/false", "x"), ignore_failure=True)
    assert command("@/bin/sh name -c :") == Command(("/bin/sh", "-c", ":"))
    assert command("/bin/sh -c 'a b' \"c d\"").words == ("/bin/sh", "-c", "a b", "c d")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(UnitError, match="Neither a valid executable name nor an absolute path"):
        command("./app.py")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("Restart=always", "has no ExecStart="),
        ("ExecStart=/bin/a\nExecStart=/bin/b", "more than one ExecStart="),
        ("Type=oneshot\nRestart=always\nExecStart=/bin/a", "isn't allowed for Type=oneshot"),
    ],
)
def test_units_that_systemd_refuses(lines: str, words: str) -> None:
    with pytest.raises(UnitError, match=words):
        service("a.service", "[Service]\n" + lines)


def test_settings_that_are_ignored_are_warned_about() -> None:
    made = service("a.service", "[Service]\nExecStart=/bin/true\nRestart=allways\nEnvironment=A=1 B\n")
    assert made.restart == "no"
    assert made.environment == (("A", "1"),)
    assert set(made.warnings) == {
        "Invalid environment assignment, ignoring: B",
        "Failed to parse restart specifier, ignoring: allways",
    }


@given(st.text(max_size=400))
def test_any_text_is_a_unit_or_refused(text: str) -> None:
    with contextlib.suppress(UnitError):
        assert service("a.service", text).start


@pytest.mark.parametrize(
    ("text", "size"),
    [("16M", 16 << 20), ("1G", 1 << 30), ("4096", 4096), ("infinity", 0), ("", 0), ("much", 0)],
)
def test_a_limit_of_memory_in_bytes(text: str, size: int) -> None:
    """systemd.resource-control(5), MemoryMax=: suffixes to the base of 1024."""
    assert service("a.service", f"[Service]\nExecStart=/bin/a\nMemoryMax={text}\n").memory_max == size


def test_a_setting_without_effect_is_named() -> None:
    warnings = service("a.service", "[Service]\nExecStart=/bin/a\nPrivateTmp=yes\nUser=root\n").warnings
    assert warnings == ("PrivateTmp= has no effect here: the local cloud's imitation of systemd lacks it",)
