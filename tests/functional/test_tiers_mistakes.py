"""The 25 known mistakes fail alike with and without namespaces: every line, every message, word for word.

Part of `make verify`: all 42 lines of each, and one line of one mistake.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from labkit.sandbox import tiers
from tests.functional import test_submissions as SUBMISSIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


MISTAKES = [name for name in SUBMISSIONS.CASES if name.startswith("M")]
SAMPLE = "M04-open-to-the-network"
WHOLE = [pytest.param(name, "", marks=pytest.mark.verify) for name in MISTAKES]


def judged(lab: Any, tier: str, name: str, only: str) -> dict[str, dict[str, Any]]:
    """What the grader says of a submission in a tier: the verdict on each line."""
    student, kind = SUBMISSIONS.SUBMISSIONS[name]
    source, result = lab.base / "handed in", lab.base / f"{tier}.json"
    for file, text in SUBMISSIONS.files_of(student, kind).items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text, newline="")
    arguments = ["grade", str(source), "--student", student, "--result", str(result), "--json"]
    run = lab.with_variables(LAB_TIER=tier).run(*arguments, *(["--only", only] if only else []), timeout=500)
    found = json.loads(result.read_text())
    assert found["complete"], run
    assert found["about"]["tier"] in tiers.CHOICES[tier]
    assert bool(found["about"]["tier_text"]) == (tier == "portable")
    return {line["id"]: line["verdict"] for line in found["lines"] if not only or line["id"] == only}


@pytest.mark.parametrize(
    ("name", "only"), [pytest.param(SAMPLE, "door-narrow", marks=pytest.mark.verify), *WHOLE]
)
def test_a_mistake_fails_alike_in_every_tier(new_lab: Callable[[], Any], name: str, only: str) -> None:
    verdicts = {tier: judged(new_lab(), tier, name, only) for tier in ("namespaces", "portable")}
    assert verdicts["portable"] == verdicts["namespaces"]
    lost = {line for line, verdict in verdicts["portable"].items() if verdict["outcome"] == "failed"}
    assert lost == ({only} if only else set(SUBMISSIONS.CASES[name].loses))


def test_all_25_mistakes_are_here() -> None:
    assert [name[:3] for name in MISTAKES] == [f"M{number:02}" for number in range(1, 26)]
