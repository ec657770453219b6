"""The starter deploys and stops at each gap in turn: with gaps 1 to n written, the step where gap n + 1 is met names it."""

from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.course.manifest import load

ADA = ("--student", "ada@uni.edu")
ROOT = Path(labkit.__file__).parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(600)]

#: in this order: the gap that is met, the step that stops at it, and words of its reason
ORDER = (
    ("bucket-protection", "02", "no versions"),
    ("lambda-network", "04", "not inside your network"),
    ("server-door", "04", "5 s of silence"),
    ("lambda-call", "05", "status 501"),
    ("download", "05", "status 501"),
    ("unit", "05", "status 500"),
    ("store", "05", "status 501"),
    ("server-policy", "05", "s3:PutObject"),
    ("record", "05", "no row"),
    ("lambda-answers", "06", ""),
)
HOPS = {"lambda-network": "hop 2 of 7", "server-door": "hop 4 of 7"}


def stopped_by(lab: Any, number: str, *, only: str = "") -> list[dict[str, Any]]:
    """The failing checks of a step; `only`: of this gap, where a step has work besides gaps."""
    checks = lab.step(number).result["checks"]
    return [check for check in checks if not check["passed"] and only in ("", check["gap"])]


def test_gap_after_gap(lab: Any, fill: Any) -> None:
    assert lab.step("01", *ADA, "--solution").status == 0
    assert lab.step("01", *ADA).status == 0
    mine, solution = lab.workspace("ada@uni.edu"), lab.workspace("ada@uni.edu.solution")
    for gap, step, words in ORDER:
        if step != "02":
            assert lab.step("03").status == 0, gap
        failed = stopped_by(lab, step, only=gap if step == "06" else "")
        assert failed, gap
        assert {check["gap"] for check in failed} == {gap}, failed
        assert words in failed[0]["reason"], failed
        assert HOPS.get(gap, "") in failed[0]["name"]
        fill(gap, mine, solution)
        if step == "02":
            assert stopped_by(lab, "02") == []
    assert lab.step("03").status == 0
    assert stopped_by(lab, "05") == []
    assert stopped_by(lab, "06", only="lambda-answers") == []
    assert {name: (mine / name).read_bytes() for name in ("main.tf", "flask_app.py")} == {
        name: (solution / name).read_bytes() for name in ("main.tf", "flask_app.py")
    }


def test_the_manifest_has_the_gaps_in_the_order_in_which_they_are_met() -> None:
    assert [(gap.name, gap.step) for gap in load(ROOT).gaps] == [(name, step) for name, step, _ in ORDER]
