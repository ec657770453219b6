"""`lab class` as it is typed: roster, look, explain, late, override, show, export, feedback, mark, who, forget."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from labkit.classroom import engine, grading, handins, places, rules
from labkit.classroom.grading import Wanted
from labkit.classroom.ledger import Ledger
from labkit.classroom.roster import Roster
from labkit.cli.main import main
from labkit.course.course import Course
from labkit.grading.grade import Request
from labkit.grading.model import Result
from tests.unit.classroom.rosters import LAB, ROOT, RUBRIC, pack, result

ANSWERS = "## 1. Prediction and surprise\n\nAnswer:\n\nthe door, because of its port\n\n## 2. A group as source\n\nAnswer:\n\nall of the subnet\n"
ROSTER = "name,email,sis\nAda Lovelace,Ada@uni.edu,s1\nBob,bob@uni.edu,s2\nZoë Öz,zoe@uni.edu,s3\n"

Lab = Callable[..., tuple[int, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lab(place: Path, capsys: pytest.CaptureFixture[str]) -> Lab:
    def run(*words: str) -> tuple[int, str]:
        status = main([*words, "--plain"])
        return status, capsys.readouterr().out

    return run


@pytest.fixture
def graded(place: Path, lab: Lab) -> Path:
    """A roster of three; Ada and Bob have handed in and were graded with a key, and a zip is damaged."""
    (place / "roster.csv").write_text(ROSTER)
    pack(place / "in" / "a.zip", "ada@uni.edu", more={"answers.md": ANSWERS})
    pack(place / "in" / "b.zip", "bob@uni.edu")
    (place / "in" / "c.zip").write_bytes(b"PK\x03\x04 cut off")
    assert lab("class", "roster", "roster.csv")[0] == 0
    found = handins.settle(
        places.find(place / "in", LAB.files, place / "work"),
        Roster(),
        handins.Rules(LAB, ("cloudformation",)),
    )
    wanted = Wanted(ROOT, RUBRIC, rules.verdict_hash(Course()), (b"k" * 32))

    def grade(request: Request) -> Result:
        lost = {"door-open": 0.0} if request.student == "bob@uni.edu" else {}
        return result(request.student, lost=lost, submission=hashes[request.student])

    hashes = {each.student: each.sha256 for each in found}
    with Ledger(place / ".lab" / "class" / "ledger.sqlite") as ledger, ThreadPoolExecutor(1) as pool:
        plan = grading.plan(found, ledger, wanted)
        grading.carry_out(plan, ledger, lambda work: pool.submit(engine.one, work, grade), 1, lambda _: None)
    (place / "key").write_bytes(b"k" * 32)
    shutil.rmtree(place / "work", ignore_errors=True)
    return place


def test_what_is_done_is_skipped_and_who_needs_somebody_is_listed(graded: Path, lab: Lab) -> None:
    status, out = lab("class", "grade", "in", "--key", "key")
    assert status == 69
    assert "0 to grade, 2 done already, 1 need you" in out
    assert "c.zip" in out
    assert "cut" in out
    assert not list((graded / ".lab" / "class").glob("unpacked-*"))


def test_a_mark_is_explained_line_by_line(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    status, out = lab("class", "explain", "S2")
    assert status == 0
    assert "door-open" in out
    assert "0 of 3" in out
    assert "= 97 of 100 (the lab's own rubric)" in out
    missing = lab("class", "explain", "zoe@uni.edu")[1]
    assert "No mark: missing" in missing
    assert "not 0" in missing
    assert "Perhaps bob@uni.edu" in lab("class", "explain", "bop@uni.edu")[1]


def test_a_word_of_a_person_moves_a_mark_and_comes_back_as_a_table(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    assert (
        "bob@uni.edu: 97 → 99"
        in lab("class", "override", "bob@uni.edu", "door-open", "2", "--reason", "nearly", "--by", "ta")[1]
    )
    assert "nearly (ta" in lab("class", "explain", "bob@uni.edu")[1]
    lab("class", "override", "--export", "words.csv")
    assert "0 words were added" in lab("class", "override", "--import", "words.csv")[1]
    assert lab("class", "override", "bob@uni.edu", "door-open", "2")[0] == 2  # without a reason


def test_the_class_at_a_glance_as_text_page_table_and_json(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    status, out = lab("class", "show", "--html", "class.html", "--csv", "class.csv")
    assert status == 69
    for words in ("3 people: 2 graded, 1 missing", "door-open", "Missing (1): zoe@uni.edu", "Needs you (1)"):
        assert words in out
    assert "door-open does not hold" in (graded / "class.html").read_text()
    assert "zoe@uni.edu" in (graded / "class.csv").read_text()
    told = json.loads(lab("class", "show", "--json")[1].splitlines()[-1])["result"]
    assert told["states"] == {"graded": 2, "missing": 1}


def test_an_export_says_what_changed_since_the_last(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    first = lab("class", "export", "csv")[1]
    assert "The first export" in first
    assert "1 have no mark" in first
    lab("class", "override", "bob@uni.edu", "mark", "50", "--reason", "oral exam")
    assert "bob@uni.edu                      97 → 50" in lab("class", "export", "csv")[1]
    assert "As in the export of" in lab("class", "export", "csv")[1]
    assert (graded / "marks" / "marks.csv").stat().st_mode & 0o077 == 0
    status, out = lab("class", "export", "canvas")
    assert status == 2
    assert "--into FILE.csv" in out


def test_each_student_gets_one_report(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    assert "2 reports" in lab("class", "feedback")[1]
    assert sorted(path.name for path in (graded / "feedback").iterdir()) == [
        "ada@uni.edu.html",
        "bob@uni.edu.html",
    ]


def test_written_answers_are_marked_in_the_terminal(
    graded: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    lab("class", "grade", "in", "--key", "key", "--look")
    monkeypatch.setattr("sys.stdin", io.StringIO("2\nx\n1\n"))
    status, out = lab("class", "mark", "--by", "ta")
    assert status == 0
    assert "the door, because of its port" in out
    assert "Key: The hop that the untouched files break first" in out
    assert "ada" not in out.lower()
    assert "2 marks in the ledger" in out
    assert "Nothing is left" in lab("class", "mark", "--by", "ta")[1]


def test_written_answers_are_marked_on_a_local_page(
    graded: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    def reads(url: str) -> bool:
        with urlopen(url) as answer:
            pages.append(answer.read().decode())
        return True

    def ctrl_c() -> None:
        raise KeyboardInterrupt

    lab("class", "grade", "in", "--key", "key", "--look")
    monkeypatch.setattr("webbrowser.open", reads)
    monkeypatch.setattr("signal.pause", ctrl_c)
    status, out = lab("class", "mark", "--by", "ta", "--page")
    assert (status, "0 marks in the ledger" in out) == (0, True)
    assert "the door, because of its port" in pages[0]
    assert "The hop that the untouched files break first" in pages[0]
    assert "ada" not in pages[0].lower()


def test_a_code_leads_to_its_student(graded: Path, lab: Lab) -> None:
    code = lab("class", "who", "bob@uni.edu")[1].split()[0]
    assert "bob@uni.edu" in lab("class", "who", code)[1]
    assert lab("class", "who", "§")[0] == 2


def test_somebody_is_forgotten_only_when_it_is_meant(graded: Path, lab: Lab) -> None:
    lab("class", "grade", "in", "--key", "key", "--look")
    assert lab("class", "forget", "bob@uni.edu")[0] == 2
    assert lab("class", "forget", "bob@uni.edu", "--yes")[0] == 0
    assert lab("class", "explain", "bob@uni.edu")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["class"], "What is to be done"), (["class", "grade", "nowhere"], "is not there"), (["class", "roster"], "no roster yet"),
        (["class", "late"], "no deadline"), (["class", "grade", "in", "--again", "no-line"], "no line no-line"),
        (["class", "roster", "none.csv"], "can't be taken"), (["class", "export", "excel"], "invalid choice"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said(place: Path, lab: Lab, words: list[str], said: str) -> None:
    (place / "in").mkdir()
    status, out = lab(*words)
    assert status == 2
    assert said in out
