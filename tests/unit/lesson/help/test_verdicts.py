"""What is known of gaps: one sign for each state, and a verdict holds for its text only."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import labkit
from labkit.course.manifest import Manifest, load
from labkit.course.workspace import Workspaces
from labkit.grading.model import LineResult, Verdict
from labkit.lesson import proving
from labkit.lesson.context import Context
from labkit.lesson.help.verdicts import MEANS, SIGNS, Known, Verdicts
from labkit.lesson.model import Options, Places

ROOT = Path(labkit.__file__).parent.parent
MANIFEST: Manifest = load(ROOT)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Of a student with fresh files."""
    workspaces = Workspaces(tmp_path, MANIFEST)
    made = SimpleNamespace(
        manifest=MANIFEST, workspaces=workspaces, workspace=workspaces.generate("ada@uni.edu").workspace,
        options=Options(), places=Places(ROOT, tmp_path),
    )  # fmt: skip
    return cast(Context, made)


def write(context: Context, gap: str, text: str) -> None:
    """Let the student write something into a gap."""
    name = MANIFEST.gap(gap).files["cloudformation"]
    path = context.workspace.path / name
    marker = f"# >>> gap {gap}\n"
    path.write_text(path.read_text().replace(marker, f"{marker}{text}\n", 1))


def said(context: Context, line: str, *, earned: float | None) -> LineResult:
    points = next(each.points for each in Verdicts(context).lines if each.id == line)
    outcome = (
        Verdict() if earned is None else Verdict("passed" if earned == points else "failed", earned / points)
    )
    return LineResult(line, line, points, "04", "", False, outcome)


def known(context: Context, gap: str, given: tuple[str, ...] = ()) -> Known:
    return next(each for each in Verdicts(context).known(given) if each.gap.name == gap)


def test_a_gap_is_open_then_untried_then_what_its_checks_said_until_its_text_changes(
    context: Context,
) -> None:
    assert known(context, "server-door").state == "open"
    write(context, "server-door", "      # mine")
    assert known(context, "server-door").state == "untried"
    Verdicts(context).note([said(context, "door-open", earned=3), said(context, "door-narrow", earned=None)])
    assert known(context, "server-door").state == "untried", "one of its lines was not judged"
    Verdicts(context).note([said(context, "door-narrow", earned=1)])
    told = known(context, "server-door")
    assert (told.state, told.earned, told.points, told.lost) == ("fails", 4, 6, ("door-narrow",))
    Verdicts(context).note([said(context, "door-narrow", earned=3)])
    assert known(context, "server-door").state == "holds"
    assert Verdicts(context).points() == (6, 6, 100)
    write(context, "server-door", "      # mine, otherwise")
    assert known(context, "server-door").state == "untried"
    assert Verdicts(context).points() == (0, 0, 100)
    assert known(context, "unit", given=("unit",)).state == "given"


def test_each_state_has_a_sign_of_its_own() -> None:
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert SIGNS.keys() == MEANS.keys()


def test_a_step_tries_the_lines_of_the_gaps_that_are_met_and_written(context: Context) -> None:
    def due(number: str) -> set[str]:
        return {line.id for line in proving._due(context, Verdicts(context), number)}

    assert due("06") == set()
    for gap in ("server-door", "lambda-call", "lambda-answers"):
        write(context, gap, "    # mine")
    assert due("04") == {"door-open", "door-narrow"}
    assert due("05") == {"door-open", "door-narrow"}, "an answer needs the gap of step 06 as well"
    assert due("06") > {"answer-ok", "dead-server-504", "bad-request"}
    hidden = {line.id for line in Verdicts(context).lines if line.hidden}
    assert not hidden & due("06"), "what is hidden is tried where one hands in"


def test_a_step_that_only_checks_keeps_what_is_known_not_to_hold(context: Context) -> None:
    context = cast(Context, SimpleNamespace(**vars(context), on_aws=False))
    write(context, "server-door", "      # mine")
    Verdicts(context).note([said(context, "door-open", earned=3), said(context, "door-narrow", earned=1)])
    (lost,) = proving.known(context, "wire")
    assert (lost.passed, lost.gap) == (False, "server-door")
    assert lost.name.startswith("door-narrow: ")
    write(context, "server-door", "      # mine, otherwise")
    assert proving.known(context, "wire") == (), "nothing is known of this text"


def test_what_a_check_advises_is_told_in_full(context: Context) -> None:
    advice = "gap server-door: name the function's group as source, not an address range, and one port"
    verdict = Verdict("failed", 0.0, "too wide", found="tcp 5000-5760", hint=advice)
    line = LineResult("door-narrow", "t", 3, "04", "server-door", False, verdict)
    details = proving._check(context, line).details
    assert max(map(len, details)) <= 76
    assert " ".join(" ".join(details).split()).endswith(f"try {advice}")
