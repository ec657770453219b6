"""The rubric of lab.toml, and what is refused in one."""

import json
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.base.errors import ManifestError
from labkit.course import rubric, toml_file

ROOT = Path(labkit.__file__).resolve().parent.parent


def line(name: str = "one", points: int = 100, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": "it holds", "points": points, "step": "03", **more}


def parse(lines: list[dict[str, Any]], bonus: list[dict[str, Any]] | None = None) -> rubric.Rubric:
    """The rubric of a lab.toml with these lines and one gap."""
    text = "[files]\na = 'a.py'\n[[gap]]\nname = 'gap'\n"
    for name, tables in (("line", lines), ("bonus", bonus or [])):
        for table in tables:
            text += f"[[{name}]]\n" + "".join(
                f"{key} = {json.dumps(value)}\n" for key, value in table.items()
            )
    return rubric.parse(toml_file.parse(text, "lab.toml", "get a fresh copy"))


def test_the_labs_own_rubric() -> None:
    own = rubric.load(ROOT)
    assert len(own.lines) == 42
    assert own.total == 100
    assert [(each.id, each.points) for each in own.bonus] == [("parity", 5), ("aws-evidence", 2)]
    assert [each.id for each in own.lines if each.whole] == ["deploys", "path-health", "path-image"]
    assert {each.id for each in own.lines if each.hidden} == {
        "server-no-more", "row-hash", "bad-download", "no-half-pair", "eight-at-once",
    }  # fmt: skip


def test_every_line_has_one_check_and_every_check_a_line() -> None:
    wanted = {each.module for each in rubric.load(ROOT).all}
    found = [
        path.name for folder in ("checks", "hidden") for path in (ROOT / "grader" / folder).glob("check_*.py")
    ]
    assert sorted(found) == sorted(wanted)


def test_hidden_lines_are_not_in_the_public_folder() -> None:
    for each in rubric.load(ROOT).all:
        folder = "hidden" if each.hidden else "checks"
        assert (ROOT / "grader" / folder / each.module).is_file()


def test_lines_come_after_those_they_need() -> None:
    order = parse([line("a", 60, needs=["b"]), line("b", 40)]).in_order()
    assert [each.id for each in order] == ["b", "a"]


def test_a_bonus_is_apart_from_the_points_and_its_names_are_its_own() -> None:
    own = parse([line("a")], bonus=[line("b", 5, needs=["a"])])
    assert (own.total, [each.id for each in own.in_order()]) == (100, ["a", "b"])
    with pytest.raises(ManifestError, match="used twice"):
        parse([line("a")], bonus=[line("a", 5)])


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([line(points=99)], "99 points together, not 100"),
        ([line(points=0)], "number 1, key 'points'"),
        ([line(points=True)], "number 1, key 'points'"),
        ([line(title=1)], "number 1, key 'title'"),
        ([line("a", 50), line("a", 50)], "used twice"),
        ([line(gap="nothing")], "key 'gap' names 'nothing'"),
        ([line(alone=["nothing"])], "key 'alone' names 'nothing'"),
        ([line(alone="gap")], "key 'alone' must be a list"),
        ([line(proof=["X"])], "key 'proof' names 'X'"),
        ([line(needs=["two"])], "'two', which is no line"),
        ([line(needs=["one"])], "leads back to itself"),
        ([line(whole=True, alone=["gap"])], "can't stand beside whole"),
        ([line(colour="red")], "key 'colour' is not known"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tables: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ManifestError, match=r"lab\.toml") as refused:
        parse(tables)
    assert words in refused.value.message
