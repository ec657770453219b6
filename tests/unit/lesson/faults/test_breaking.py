"""Step 06's faults: chosen by the student's token, judged by hop and evidence, never forgotten."""

from pathlib import Path

import pytest

import labkit
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.lesson.faults import breaking, faults
from labkit.lesson.faults.breaking import Hunt, Hunts, choose
from labkit.lesson.path import path

ROOT = Path(labkit.__file__).parent.parent
POOL = [fault.name for fault in faults.ALL]


def test_the_same_student_gets_the_same_two_and_others_get_others() -> None:
    assert choose("token", POOL) == choose("token", POOL)
    chosen = {tuple(choose(f"token {n}", POOL)) for n in range(50)}
    assert len(chosen) > 8
    for names in chosen:
        assert [faults.by_name(n).kind for n in names] == ["network", "program"]


def test_a_small_pool_gives_what_it_has() -> None:
    assert choose("t", ["key-type", "explicit-deny"]) in (
        ["key-type", "explicit-deny"],
        ["explicit-deny", "key-type"],
    )
    assert choose("t", ["key-type"]) == ["key-type"]


@pytest.mark.parametrize("fault", faults.ALL, ids=lambda f: f.name)
def test_every_fault_has_its_hop_and_teaches(fault: faults.Fault) -> None:
    assert fault.hop in path.NAMES
    assert len(fault.teaches) > 20
    assert not fault.convinces("I looked and something was wrong", {})


@pytest.mark.parametrize(
    ("name", "evidence", "memo"),
    [
        ("rule-revoked", "sg-0a1b2c has no rule", {"group": "sg-0a1b2c"}),
        ("route-gone", "rtb-77 has only the local route", {"table": "rtb-77"}),
        ("no-concurrency", "TooManyRequestsException: Rate Exceeded.", {}),
        ("service-stopped", "Active: inactive (dead)", {}),
        ("not-enabled", "Loaded: loaded (…; disabled; preset: disabled)", {}),
        ("table-renamed", "resource: arn:…:table/images-old", {"table": "images-old"}),
        ("explicit-deny", "with an explicit deny in a resource-based policy", {"before": ""}),
        ("key-type", "ValidationException: Type mismatch for key", {}),
    ],
)
def test_what_a_student_would_paste_convinces(name: str, evidence: str, memo: dict[str, str]) -> None:
    assert faults.by_name(name).convinces(evidence, memo)


@pytest.fixture
def hunts(tmp_path: Path) -> Hunts:
    workspace = Workspaces(tmp_path, load(ROOT)).generate("ada@uni.edu").workspace
    return Hunts(workspace, ["rule-revoked", "key-type"])


def test_a_hunt_goes_on_where_it_was(hunts: Hunts, tmp_path: Path) -> None:
    current = hunts.current
    assert current is not None
    hunts.save(Hunt(current.name, made=True, memo={"group": "sg-1234"}))
    again = Hunts(Workspaces(tmp_path, load(ROOT)).open(), POOL)
    assert again.active is not None
    assert again.active.memo == {"group": "sg-1234"}


def test_hop_and_evidence_may_come_one_after_the_other(hunts: Hunts) -> None:
    hunt = hunts.save(Hunt("rule-revoked", made=True, memo={"group": "sg-1234"}))
    hunt = breaking.answer(hunts, hunt, "vpc", "")
    assert not hunt.hop_right
    hunt = breaking.answer(hunts, hunt, "door", "")
    assert hunt.hop_right
    assert not hunt.found
    hunt = breaking.answer(hunts, hunt, "", "no rule in sg-1234")
    assert hunt.found
    assert breaking.repaired(hunts, hunt).over


@pytest.mark.parametrize(
    ("name", "evidence", "memo"),
    [
        ("route-gone", "rtb-99 no route", {"table": "rtb-77", "gateway": "igw-5"}),
        ("route-gone", "igw-5 is attached", {"table": "rtb-77", "gateway": "igw-5"}),
        ("route-gone", "egress 0.0.0.0/0 is open", {"table": "rtb-77", "gateway": "igw-5"}),
        ("rule-revoked", "sg-12 has no rule", {"group": "sg-34", "rules": []}),
        ("answers-denied", "the network acl acl-9 denies 1024", {"acl": "acl-8"}),
    ],
)
def test_evidence_about_another_thing_of_the_kind_is_refused(
    name: str, evidence: str, memo: dict[str, object]
) -> None:
    assert not faults.by_name(name).convinces(evidence, memo)


def test_a_repair_that_loses_something_is_none_until_it_is_back(hunts: Hunts) -> None:
    before = "function process-image: Timeout is 3, deployed was 60"
    hunt = hunts.save(
        Hunt("explicit-deny", made=True, differed=[before], hop_right=True, evidence_right=True)
    )
    hunt = breaking.repaired(hunts, hunt, [before, "bucket images: Policy is gone"])
    assert (hunt.repaired, hunt.over, list(hunt.lost)) == (False, False, ["bucket images: Policy is gone"])
    assert breaking.repaired(hunts, hunt, [before]).repaired


def test_of_a_fault_nothing_is_told_until_it_is_found(hunts: Hunts, tmp_path: Path) -> None:
    workspace = Workspaces(tmp_path, load(ROOT)).open()
    assert not breaking.is_sought(workspace)
    hunt = hunts.save(Hunt("rule-revoked", made=True, memo={"group": "sg-1234"}))
    assert breaking.is_sought(workspace)
    breaking.answer(hunts, hunt, "door", "sg-1234 has no rule")
    assert not breaking.is_sought(workspace)
