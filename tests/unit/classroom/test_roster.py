"""Rosters as platforms write them: everybody is found by each of their ids, and nobody by a name that two have."""

import unicodedata
from pathlib import Path

import pytest

from labkit.base.errors import UsageError
from labkit.classroom import roster
from labkit.course.variant import make_variant
from tests.unit.classroom.rosters import LAB

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 3 (4711)\n    Points Possible,,,,,100\n"
    '"Doe, Jane",123,s001,jdoe,A,\n"Öz, Ümit",124,s002,uoez,A,\n"Student, Test",999,,,A,\n'
)
MOODLE = "First name,Last name,ID number,Email address,Lab 3\nJane,Doe,s001,Jane.Doe@Uni.edu,-\nÜmit,Öz,s002,ümit@uni.edu,-\n"
WORKSHEET = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Last modified (grade)\n"
    "Participant 71,Jane Doe,s001,jane.doe@uni.edu,,,-\n"
)
GRADESCOPE = "First Name,Last Name,SID,Email,Sections\nJane,Doe,s001,jane.doe@uni.edu,A\n"
GITHUB = "identifier,github_username,github_id,name\njane.doe@uni.edu,JaneD,7,Jane Doe\n"
CLASSROOM50 = "username,first_name,last_name,email,section\njaned,Jane,Doe,jane.doe@uni.edu,A\n"
GERMAN = "Vorname;Nachname;Matrikel;E-Mail-Adresse;Gruppe\r\nJane;Doe;1;jane.doe@uni.edu;A\r\nÜmit;Öz;2;umit@uni.edu;A\r\n"


def read(tmp_path: Path, text: str, by: str = "", *, encoding: str = "utf-8") -> roster.Roster:
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return roster.read(path, by)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (CANVAS, ["jdoe", "s001", "123", "JDOE"]), (MOODLE, ["jane.doe@uni.edu", "JANE.DOE@UNI.EDU", "s001"]),
        (WORKSHEET, ["jane.doe@uni.edu", "Participant 71", "s001"]), (GRADESCOPE, ["jane.doe@uni.edu", "S001"]),
        (GITHUB, ["janed", "jane.doe@uni.edu"]), (CLASSROOM50, ["janed", "jane.doe@uni.edu"]),
        (GERMAN, ["jane.doe@uni.edu"]),
    ],
    ids=["canvas", "moodle", "worksheet", "gradescope", "github", "classroom50", "german"],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_everybody_is_found_by_every_id(tmp_path: Path, text: str, ids: list[str], encoding: str) -> None:
    people = read(tmp_path, text, encoding=encoding)
    for wanted in ids:
        found = people.find(wanted)
        assert found is not None, wanted
        assert "Doe" in found.name


def test_canvas_rows_of_points_and_of_the_trying_student_are_nobody(tmp_path: Path) -> None:
    assert [person.name for person in read(tmp_path, CANVAS).people] == ["Doe, Jane", "Öz, Ümit"]


def test_marks_stand_under_the_id_that_was_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, CANVAS).people[0].id == "jdoe"
    assert read(tmp_path, CANVAS, "sis").people[0].id == "s001"
    with pytest.raises(UsageError, match="no column for 'email'"):
        read(tmp_path, CANVAS, "email")


def test_an_umlaut_is_one_letter_or_two_signs(tmp_path: Path) -> None:
    people = read(tmp_path, MOODLE)
    assert people.find(unicodedata.normalize("NFD", "ÜMIT@uni.edu")) is not None


def test_two_of_one_name_are_two_people_and_the_name_tells_nobody_which(tmp_path: Path) -> None:
    people = read(tmp_path, "name,email\nJane Doe,a@uni.edu\nJane Doe,b@uni.edu\n")
    assert len(people.named("doe jane")) == 2
    assert people.find("Jane Doe") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,email\nA,x@uni.edu\nB,X@UNI.edu\n", "2 times"), ("colour,shape\nred,round\n", "no column of ids"),
        ("name,email\nA,a@uni.edu\nB,\n", "has no email"), ("name,email\n", "a row below"), ("", "a row below"),
    ],
)  # fmt: skip
def test_a_roster_that_tells_nobody_apart_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    assert words in error.value.message


def test_a_typing_mistake_is_near_somebody(tmp_path: Path) -> None:
    people = read(tmp_path, GRADESCOPE)
    assert people.near("jane.do@uni.edu") == "jane.doe@uni.edu"
    assert people.near("xyz") == ""


def test_a_code_leads_to_its_student_and_back(tmp_path: Path) -> None:
    people = read(tmp_path, GRADESCOPE)
    code = make_variant(LAB.salt, "jane.doe@uni.edu").code
    assert [person.id for person in people.of_code(code, LAB.salt)] == ["jane.doe@uni.edu"]
    assert code in roster.codes(people.people[0], LAB.salt)


def test_rows_of_another_table_are_matched_unless_their_ids_contradict(tmp_path: Path) -> None:
    people = read(tmp_path, "name,email,login\nA,a@uni.edu,a1\nB,b@uni.edu,b1\n")
    from labkit.classroom import tables

    table = tables.parse(b"email,username\nA@uni.edu,a1\na@uni.edu,b1\nzoe@uni.edu,z\n", "t")
    assert [person and person.id for person in roster.matched(table, people)] == ["a@uni.edu", None, None]
