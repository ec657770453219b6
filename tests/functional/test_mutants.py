"""The grader is mutation-tested: mutants of the reference lose points, or the list says why they are no mistakes.

`make verify` grades two hundred, drawn with a seed that is printed; the default run a few that are known to be killed.
`python -m labkit dev mutants --sample N --seed S` grades any.
"""

import json
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import labkit
from labkit.dev.mutants import allowed, grading
from labkit.dev.mutants.catalogue import mutants_of
from labkit.dev.mutants.model import Mutant
from labkit.dev.mutants.sampling import sample
from labkit.dev.mutants.verdicts import Outcome, defects, outcome_of
from tests.functional.conftest import Lab

ROOT = Path(labkit.__file__).resolve().parent.parent
SEED = 11
#: of both engines' mutants: a grading by Terraform takes ten times as long
COUNTS = {"cloudformation": 160, "terraform": 40}
#: one of the template, one of a program, one of the boot script, and a line of the rubric that each must lose
KILLED = {
    "source-widened:cloudformation-template.yaml:*": "door-narrow",
    "status-changed:lambda_function.py:*:400->500": "bad-request",
    "line-dropped:flask_server_startup.sh:*:Restart=always": "crash-restart",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def told(outcomes: list[Outcome], files: dict[str, str]) -> str:
    """Each mutant that shows a fault: its change, and what the grader said."""
    return json.dumps(
        [
            {"kind": each.kind, "id": each.mutant.id, "diff": each.mutant.diff(files)[1:], "not judged": dict(each.graded.not_judged)}
            for each in outcomes
        ],
        indent=1,
    )  # fmt: skip


def graded(mutants: list[Mutant], files: dict[str, str], place: Path) -> list[Outcome]:
    gradings = grading.Gradings(ROOT, place, files)
    return [outcome_of(mutant, found, allowed.load()) for mutant, found in gradings.each(mutants, 4)]


@pytest.mark.verify
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize(
    "engine",
    [
        "cloudformation",
        pytest.param(
            "terraform",
            marks=[
                pytest.mark.terraform,
                pytest.mark.skipif(
                    shutil.which("terraform") is None, reason="Terraform is not installed here"
                ),
            ],
        ),
    ],
)
def test_no_mutant_survives_without_a_reason(engine: str, tmp_path: Path) -> None:
    print(f"seed: {SEED}")
    files = grading.submission(ROOT)
    mutants = [mutant for mutant in mutants_of(files) if mutant.engine == engine]
    faults = defects(graded(sample(mutants, COUNTS[engine], SEED), files, tmp_path))
    assert not faults, told(faults, files)


def test_a_stopped_run_is_carried_on(lab: Lab) -> None:
    """Kill −9 after the first result: the next run has that one already, and grades the rest."""
    mutants = mutants_of(grading.submission(ROOT))
    chosen = {
        next(each.id for each in mutants if fnmatchcase(each.id, name)): line for name, line in KILLED.items()
    }
    words = [word for name, line in chosen.items() for word in ("--id", name, "--line", line)]
    assert lab.kill_after(2, "dev", "mutants", "--jobs", "1", *words)
    kept = {path: path.stat().st_mtime_ns for path in lab.base.glob(".lab/dev/mutants/*/*.json")}
    assert len(kept) == 1
    run = lab.run("dev", "mutants", *words, "--json", timeout=300)
    assert run.status == 0, run
    assert run.result["counts"] == {"killed": 3}
    assert {each["id"]: list(each["lost"]) for each in run.result["mutants"]} == {
        name: [line] for name, line in chosen.items()
    }
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
