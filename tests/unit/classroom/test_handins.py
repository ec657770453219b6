"""Hand-ins as platforms let one download them: whose each is, by which engine; what needs a person is never a guess."""

import io
import subprocess
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labkit.classroom import handins, places
from labkit.classroom.handins import HandIn, Rules, Times
from labkit.classroom.roster import Person, Roster
from tests.unit.classroom.rosters import LAB, pack

ADA, BOB = "ada@uni.edu", "bob@uni.edu"
CLASS = Roster(
    (
        Person(ADA, "Lovelace, Ada", {"email": ADA, "lms": "123", "sis": "s001", "github": "adal"}, "red"),
        Person(BOB, "Bob Bíro", {"email": BOB, "lms": "124", "sis": "s002", "github": "bobb"}, "red"),
        Person("jane@uni.edu", "Jane Doe", {"email": "jane@uni.edu"}),
        Person("jane2@uni.edu", "Jane Doe", {"email": "jane2@uni.edu"}),
    )
)
RULES = Rules(LAB, ("cloudformation", "terraform"))


def found(
    tmp_path: Path, roster: Roster = CLASS, rules: Rules = RULES, times: Times | None = None
) -> list[HandIn]:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return handins.settle(places.find(tmp_path / "in", LAB.files, work), roster, rules, times)


def bare(path: Path, student: str = ADA) -> Path:
    """A pack that does not say whose it is."""
    with (
        zipfile.ZipFile(pack(path.with_suffix(".full"), student)) as source,
        zipfile.ZipFile(path, "w") as archive,
    ):
        for name in source.namelist():
            if name != "manifest.json":
                archive.writestr(name, source.read(name))
    path.with_suffix(".full").unlink()
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def unpacked(zip_file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(zip_file) as archive:
        archive.extractall(folder)
    zip_file.unlink()
    return folder


def persons(found: Sequence[HandIn]) -> dict[str, str]:
    return {each.label: each.person or each.trouble for each in found}


def test_packs_say_whose_they_are_and_which_engine_made_them(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", ADA)
    pack(tmp_path / "in" / "b.zip", BOB.upper(), engine="terraform")
    one, two = found(tmp_path)
    assert (one.person, one.engine, one.is_ready) == (ADA, "cloudformation", True)
    assert (two.person, two.engine, two.is_ready) == (BOB, "terraform", True)
    assert one.sha256 != two.sha256


def test_canvas_names_tell_whose_a_pack_without_manifest_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bare(tmp_path / "in" / "lovelaceada_LATE_123_9001_submission.zip")
    assert found(tmp_path)[0].person == ADA


def test_canvas_writes_names_in_one_word(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bare(tmp_path / "in" / "lovelaceada_777_9001_submission-1.zip")  # an id that the roster lacks
    assert found(tmp_path)[0].person == ADA


def test_moodles_folders_within_one_zip(tmp_path: Path) -> None:
    data = pack(tmp_path / "a.zip", ADA).read_bytes()
    other = bare(tmp_path / "b.zip", BOB).read_bytes()
    zipped(
        tmp_path / "in" / "CC-Lab 3-4711.zip",
        {
            "Ada Lovelace_71_assignsubmission_file/submission.zip": data,
            "Bob Biro_72_assignsubmission_file_/sub/submission.zip": other,
        },
    )
    assert sorted(persons(found(tmp_path)).values()) == [ADA, BOB]


def test_gradescopes_export_tells_persons_and_times(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "assignment_1_export"
    unpacked(bare(tmp_path / "x.zip"), folder / "submission_55")
    (folder / "submission_metadata.yml").write_text(
        "---\nsubmission_55:\n  :submitters:\n  - :name: Ada Lovelace\n    :sid: s001\n    :email: Ada@uni.edu\n"
        "  :created_at: 2027-01-31 22:00:00.123456000 Z\n"
    )
    one = found(tmp_path)[0]
    assert (one.person, one.at, one.by) == (ADA, "2027-01-31T22:00:00+00:00", "Gradescope's metadata")


@pytest.mark.processes
def test_repositories_tell_by_their_names_and_their_last_commit(tmp_path: Path) -> None:
    folder = unpacked(bare(tmp_path / "x.zip"), tmp_path / "in" / "lab3-adal")
    run = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for more in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x", "--date", "2027-01-01T10:00:00Z"]):
        subprocess.run(
            [*run, *more],
            check=True,
            env={"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": "2027-01-01T11:00:00Z"},
        )
    one = handins.settle(
        places.find(tmp_path / "in", LAB.files, tmp_path / "w"),
        CLASS,
        RULES,
        now=datetime(2027, 2, 1, tzinfo=UTC),
    )[0]
    assert (one.person, one.at) == (ADA, "2027-01-01T11:00:00+00:00")
    assert "own clock" in one.by


@pytest.mark.processes
def test_a_strangers_repository_runs_nothing(tmp_path: Path) -> None:
    folder = unpacked(bare(tmp_path / "x.zip"), tmp_path / "in" / "lab3-adal")
    subprocess.run(["git", "-C", str(folder), "init", "-q"], check=True)
    proof = tmp_path / "ran"
    with (folder / ".git" / "config").open("a") as file:
        file.write(
            f"[core]\n\tfsmonitor = touch {proof}\n\tsshCommand = touch {proof}\n\tpager = touch {proof}\n"
            f'[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\turl = ext::touch {proof}\n'
            f"\tuploadpack = touch {proof}\n\tpromisor = true\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = {proof}\n"
        )
    (folder / ".git" / "refs" / "heads").mkdir(exist_ok=True)
    for name in ("main", "master"):
        (folder / ".git" / "refs" / "heads" / name).write_text("1" * 40 + "\n")
    found(tmp_path)
    assert not proof.exists()


def test_without_a_roster_the_pack_alone_says_it(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "doe_1_2_x.zip", "zoe@uni.edu")
    assert found(tmp_path, Roster())[0].person == "zoe@uni.edu"


def test_a_pack_and_a_platform_that_contradict_are_a_question(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "birobob_124_9_submission.zip", ADA)
    one = found(tmp_path)[0]
    assert not one.is_ready
    assert ADA in one.trouble
    assert BOB in one.trouble
    assert "Whose is it?" in one.trouble


def test_somebody_in_no_roster_is_a_question_with_who_is_near(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", "adaa@uni.edu")
    one = found(tmp_path)[0]
    assert "not in the roster" in one.trouble
    assert ADA in one.hint


def test_a_name_that_two_have_is_a_question(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bare(tmp_path / "in" / "doejane_700_9_x.zip")
    assert "2 of that name" in found(tmp_path)[0].trouble


@pytest.mark.parametrize("kind", ["cut", "text", "encrypted", "bomb", "empty", "link", "nothing of the lab"])
def test_what_nobody_can_take_in_needs_a_person_and_the_others_go_on(tmp_path: Path, kind: str) -> None:
    pack(tmp_path / "in" / "good.zip", BOB)
    bad = tmp_path / "in" / "bad.zip"
    whole = pack(tmp_path / "x.zip", ADA).read_bytes()
    if kind == "cut":
        bad.write_bytes(whole[:-200])
    elif kind == "text":
        bad.write_text("see my e-mail")
    elif kind == "encrypted":
        flagged = bytearray(whole)
        for place in range(len(flagged) - 4):
            if flagged[place : place + 4] in (b"PK\x03\x04", b"PK\x01\x02"):
                flagged[place + (6 if flagged[place + 2] == 3 else 8)] |= 1
        bad.write_bytes(bytes(flagged))
    elif kind == "bomb":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("main.tf", b"\0" * (100 << 20))
        bad.write_bytes(buffer.getvalue())
    elif kind == "empty":
        zipped(bad, {})
    elif kind == "link":
        bad.symlink_to("/etc/hostname")
    else:
        zipped(bad, {"essay.txt": b"words"})
    by_label = {each.label: each for each in found(tmp_path)}
    assert by_label["good.zip"].is_ready
    assert not by_label["bad.zip"].is_ready
    assert by_label["bad.zip"].hint


@pytest.mark.slow
def test_a_bomb_in_a_download_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    good = pack(tmp_path / "a.zip", ADA).read_bytes()
    path = tmp_path / "in" / "all.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/good.zip", good)
        archive.writestr("b/bad.zip", b"\0" * (60 << 20))
        archive.writestr("../../escape.zip", good)
    told = {each.label: each for each in found(tmp_path)}
    assert told["all.zip/a/good.zip"].is_ready
    assert "too large" in told["all.zip/b/bad.zip"].trouble
    assert "leads elsewhere" in told["all.zip/../../escape.zip"].trouble
    assert not list(tmp_path.glob("escape*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_two_places_in_the_list(tmp_path: Path) -> None:
    good = pack(tmp_path / "a.zip", ADA).read_bytes()
    path = tmp_path / "in" / "all.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x/a.zip", "x/a.zip", "x/a.zip/below.zip"):
            archive.writestr(name, good)
    told = {each.label: each for each in found(tmp_path)}
    assert sum(each.is_ready for each in told.values()) == 1
    assert {each.trouble for each in told.values() if not each.is_ready} == {"it is there twice."}


@pytest.mark.processes
def test_a_lab_that_lies_deeper_in_a_repository_is_its_owners(tmp_path: Path) -> None:
    repository = tmp_path / "in" / "lab3-adal"
    unpacked(bare(tmp_path / "x.zip"), repository / "work" / "mine")
    subprocess.run(["git", "-C", str(repository), "init", "-q"], check=True)
    assert found(tmp_path)[0].person == ADA


def test_another_kit_version_waits_where_the_course_names_versions(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", ADA, kit="0.9.1")
    assert found(tmp_path)[0].is_ready
    assert "kit 0.9.1" in found(tmp_path, rules=Rules(LAB, RULES.engines, ("1.0",)))[0].trouble
    assert found(tmp_path, rules=Rules(LAB, RULES.engines, ("0.9",)))[0].is_ready


def test_an_engine_that_the_course_does_not_take_waits(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", ADA)
    assert "this course takes terraform" in found(tmp_path, rules=Rules(LAB, ("terraform",)))[0].trouble


def test_the_same_twice_is_one_and_two_different_are_a_question_unless_the_course_says(
    tmp_path: Path,
) -> None:
    pack(tmp_path / "in" / "a.zip", ADA)
    (tmp_path / "in" / "copy.zip").write_bytes((tmp_path / "in" / "a.zip").read_bytes())
    assert len(found(tmp_path)) == 1
    pack(tmp_path / "in" / "b.zip", ADA, more={"answers.md": "new"})
    asked = found(tmp_path)
    assert [each.is_ready for each in asked] == [False, False]
    assert "b.zip" in asked[0].trouble
    assert len(found(tmp_path, rules=Rules(LAB, RULES.engines, counts="best"))) == 2
    times = {"a.zip": 1_700_000_000, "copy.zip": 1_700_000_000, "b.zip": 1_600_000_000}
    import os

    for name, at in times.items():
        os.utime(tmp_path / "in" / name, (at, at))
    assert persons(found(tmp_path, rules=Rules(LAB, RULES.engines, counts="last"))).keys() <= {
        "a.zip",
        "copy.zip",
    }


def test_a_platforms_times_count_more_than_any_other_clock(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", ADA)
    one = found(tmp_path, times=Times({ADA: "2026-01-01T00:00:00+00:00"}, "times.csv"))[0]
    assert (one.at, one.by) == ("2026-01-01T00:00:00+00:00", "times.csv")


def test_a_clock_that_jumped_ahead_is_a_question(tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.zip", ADA)
    one = found(tmp_path, times=Times({ADA: "2126-01-01T00:00:00+00:00"}, "times.csv"))[0]
    assert "which is to come" in one.trouble


def test_where_groups_hand_in_a_pack_of_any_member_is_the_groups(tmp_path: Path) -> None:
    rules = Rules(LAB, RULES.engines, groups=True)
    pack(tmp_path / "in" / "a.zip", "red")
    assert found(tmp_path, rules=rules)[0].person == "red"
    pack(tmp_path / "in" / "a.zip", BOB)
    assert found(tmp_path, rules=rules)[0].person == "red"
