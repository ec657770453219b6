"""`lab class grade` on an evening's download with all that goes wrong at once: each trouble is named, and the others go on."""

import json
import os
import zipfile
from pathlib import Path

import pytest

import labkit
from labkit.classroom.ledger import VERSION, Ledger
from labkit.cli.main import main

_CLASS = 150
_TO_COME = 4_900_000_000
_ROSTER = [
    "name,email,login,sis",
    "Jörg Müller,Jörg.Müller@Uni.edu,JMueller,s-jm",
    "Anna Schmidt,anna.schmidt@uni.edu,aschmidt,s-a1",
    "Anna Schmidt,anna.schmidt2@uni.edu,aschmidt2,s-a2",
    *(f"Student {n},s{n:03}@uni.edu,s{n:03},i{n:03}" for n in range(_CLASS - 3)),
]


def pack(path: Path, student: str) -> None:
    told = {
        "format": 1,
        "kit": labkit.__version__,
        "student": student,
        "engine": "cloudformation",
        "steps": {},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cloudformation-template.yaml", f"# {student}'s\n")
        if student:
            archive.writestr("manifest.json", json.dumps(told))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_text("\n".join(_ROSTER) + "\n")
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(_CLASS - 3):
        pack(folder / f"s{n:03}.zip", f"s{n:03}@uni.edu")
    return tmp_path


def look(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, dict[str, str]]:
    """The exit status, what the first line says, and who needs somebody, by hand-in."""
    capsys.readouterr()
    status = main(["class", "grade", "in", "--look", "--json"])
    out = capsys.readouterr()
    told = [json.loads(line) for line in out.out.splitlines()]
    needs = next(each["result"]["needs_you"] for each in told if "needs_you" in each.get("result", ()))
    return status, out.out + out.err, needs


@pytest.mark.slow
def test_a_class_of_150_with_everything_that_goes_wrong(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "in"
    pack(folder / "jm.zip", "jmueller")  # under the login; the e-mail has capitals and umlauts
    pack(folder / "stranger.zip", "mallory@uni.edu")
    pack(folder / "annaschmidt_55_66_lab.zip", "")  # Canvas's name, and two have it
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cloudformation-template.yaml", b"\0" * (60 << 20))
    (folder / "cut.zip").write_bytes((folder / "s000.zip").read_bytes()[:-40])
    os.utime(folder / "s007.zip", (_TO_COME, _TO_COME))
    assert main(["class", "roster", "roster.csv"]) == 0
    assert "Anna Schmidt are 2 people" in capsys.readouterr().out
    status, said, needs = look(capsys)
    assert set(needs) == {
        "stranger.zip", "annaschmidt_55_66_lab.zip", "bomb.zip", "cut.zip", "s007.zip",
    }  # fmt: skip
    assert "to come" in needs["s007.zip"]
    assert "large" in needs["bomb.zip"]
    assert (status, f"{_CLASS - 3} to grade" in said) == (69, True)


@pytest.mark.parametrize(("version", "word"), [(VERSION + 1, "newer"), (VERSION - 1, "older")])
def test_a_ledger_of_another_kit_is_refused_and_left_as_it_is(
    place: Path, capsys: pytest.CaptureFixture[str], version: int, word: str
) -> None:
    path = place / ".lab" / "class" / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger._db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    assert main(["class", "grade", "in", "--look", "--plain"]) != 0
    out = capsys.readouterr()
    assert f"made by {'a' if word == 'newer' else 'an'} {word} kit" in out.out + out.err
    assert path.read_bytes() == before
