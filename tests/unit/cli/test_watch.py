"""`./lab watch`: one screen of 80 columns, the gap that is due, keys and editors."""

from pathlib import Path

import pytest

from labkit.cli import main as cli
from labkit.cli.watch import KEYS, editor_command, words_of
from labkit.lesson import at_gap
from labkit.lesson.help.verdicts import Known


@pytest.fixture(autouse=True)
def _own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))


def test_one_screen_has_gap_place_task_points_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "--student", "ada@uni.edu", "--plain"]) == 0
    capsys.readouterr()
    assert cli.main(["watch", "--once", "--plain"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    for words in (
        "Gap 1 of 10, bucket-protection", "work/ada@uni.edu/cloudformation-template.yaml:", "Must hold",
        "Points so far: 0 of 0 tried; 100 of 100 are open.", "s skip  q quit",
    ):  # fmt: skip
        assert words in shown


def known(*states: str) -> tuple[Known, ...]:
    from types import SimpleNamespace
    from typing import Any, cast

    def one(number: int, state: str) -> Known:
        gap = SimpleNamespace(name=f"gap{number}")
        return Known(cast(Any, SimpleNamespace(gap=gap)), cast(Any, state), 0, 0)

    return tuple(one(number, state) for number, state in enumerate(states, 1))


@pytest.mark.parametrize(
    ("states", "stuck", "wanted"),
    [
        (("untried", "holds", "open", "open"), "", "gap3"),
        (("untried", "fails", "open"), "", "gap2"),
        (("untried", "open"), "gap1", "gap1"),
        (("given", "skipped", "holds", "untried"), "", "gap4"),
        (("holds", "given"), "", None),
    ],
)
def test_the_gap_that_is_due(states: tuple[str, ...], stuck: str, wanted: str | None) -> None:
    found = at_gap.due(known(*states), stuck)
    assert (found.gap.name if found else None) == wanted


def test_every_key_is_a_command_or_the_screens_own() -> None:
    parser = cli._parser()
    for key in KEYS.keys() - set("eqr"):
        parser.parse_args(words_of(key, "unit", ("systemd-unit",)))


@pytest.mark.parametrize(
    ("environment", "there", "command"),
    [
        ({"VISUAL": "code -w"}, "", ["code", "-w", "--goto", "f:7"]),
        ({"EDITOR": "vim"}, "", ["vim", "+7", "f"]),
        ({}, "vi", ["vi", "+7", "f"]),
        ({}, "", []),
    ],
)
def test_the_persons_editor_opens_at_the_line(
    environment: dict[str, str], there: str, command: list[str]
) -> None:
    assert editor_command("f", 7, environment, lambda name: name if name == there else None) == command
