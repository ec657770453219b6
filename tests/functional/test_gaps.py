"""The starter deploys and fails as each gap's text says; filling one gap after the other leads to the end."""

from typing import Any

import pytest

ADA = ("--student", "ada@uni.edu")
pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(300)]

#: the gap that is filled, and the gap and the words that the next try then points to
ORDER = (
    ("bucket-protection", "lambda-network", "not inside your network"),
    ("lambda-network", "server-door", "5 s of silence"),
    ("server-door", "lambda-call", "status 501"),
    ("lambda-call", "download", "status 501"),
    ("download", "unit", "status 500"),
    ("unit", "store", "status 501"),
    ("store", "server-policy", "s3:PutObject"),
    ("server-policy", "record", "no row"),
    ("record", "", ""),
    ("lambda-answers", "", ""),
)


def test_gap_after_gap(lab: Any, fill: Any) -> None:
    assert lab.step("01", *ADA, "--solution").status == 0
    assert lab.step("01", *ADA).status == 0
    mine, solution = lab.workspace("ada@uni.edu"), lab.workspace("ada@uni.edu.solution")
    for gap, following, words in ORDER:
        fill(gap, mine, solution)
        deployed = lab.step("03")
        assert deployed.status == 0, (gap, deployed)
        tried = lab.step("05")
        failed = [check for check in tried.result["checks"] if not check["passed"]]
        assert (tried.status == 0) == (not following), (gap, tried)
        for check in failed:
            assert check["gap"] == following, (gap, check)
            assert words in check["reason"], (gap, check)
    assert {name: (mine / name).read_bytes() for name in ("main.tf", "flask_app.py")} == {
        name: (solution / name).read_bytes() for name in ("main.tf", "flask_app.py")
    }
