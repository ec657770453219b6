"""The table of step 08: empty at first, right when it says what the trials saw, wrong where it does not."""

from pathlib import Path
from typing import Any

import pytest

from labkit.lesson.compare import comparison

TRIALS: list[dict[str, Any]] = [
    {"engine": "cloudformation", "seconds": {"create": 4.9, "again": 0.1, "destroy": 0.5}, "kept_on_disk": False,
     "shown": [], "repaired": False, "left": []},
    {"engine": "terraform", "seconds": {"create": 44.9, "again": 14.3, "destroy": 33.0}, "kept_on_disk": True,
     "shown": ["update aws_lambda_function.process_image"], "repaired": True, "left": ["VPC vpc-1", "role r"]},
]  # fmt: skip
CELLS = {
    "create": ("5", "44,9 s"), "again": ("0.1", "14"), "destroy": ("0.5 s", "31"), "state": ("account (stack)", "disk"),
    "shown": ("No", "yes"), "repaired": ("no", "Yes."), "left": ("0", "2"),
}  # fmt: skip


def filled(**changes: tuple[str, str]) -> str:
    cells = {**CELLS, **changes}
    return "\n".join(f"| {row.words} | {' | '.join(cells[row.key])} |" for row in comparison.ROWS)


def test_a_fresh_table_has_every_cell_open_and_is_made_once(tmp_path: Path) -> None:
    assert comparison.begin(tmp_path)
    text = (tmp_path / comparison.TABLE).read_text()
    assert comparison.cells(text) == {}
    assert len(list(comparison.wrong(text, TRIALS))) == 2 * len(comparison.ROWS)
    (tmp_path / comparison.TABLE).write_text("mine")
    assert not comparison.begin(tmp_path)
    assert (tmp_path / comparison.TABLE).read_text() == "mine"


def test_what_the_runs_showed_is_right() -> None:
    assert list(comparison.wrong(filled(), TRIALS)) == []


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("create", ("5", "20")), ("state", ("disk", "disk")), ("shown", ("yes", "yes")), ("repaired", ("no", "nothing")),
        ("left", ("0", "3")), ("left", ("0", "many")), ("again", ("0.1", "…")), ("destroy", ("", "33")),
    ],
)  # fmt: skip
def test_what_they_did_not_show_is_named(key: str, cells: tuple[str, str]) -> None:
    (sentence,) = comparison.wrong(filled(**{key: cells}), TRIALS)
    assert next(row.words for row in comparison.ROWS if row.key == key) in sentence


def test_a_broken_table_is_an_open_one() -> None:
    for text in ("", "|||", "| seconds to create everything", "\0\n|" * 50):
        assert len(list(comparison.wrong(text, TRIALS))) == 2 * len(comparison.ROWS)
