"""Exports, by the rules of those who import them: the platform's file keeps its form, and nobody is left out without a word."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit.base.errors import UsageError
from labkit.classroom import marks, rules, tables
from labkit.classroom.exports.forms import FORMS, changes
from labkit.classroom.exports.model import Given
from labkit.classroom.feedback import Telling, files
from labkit.classroom.handins import HandIn
from labkit.classroom.marks import Facts, Rules, Word
from labkit.classroom.roster import Person
from labkit.classroom.standing import Standing
from labkit.grading.model import Result, Verdict
from tests.unit.classroom.rosters import COURSE, LAB, result

PLAIN = rules.of_course(COURSE, LAB)
ADA = Person(
    "ada@uni.edu",
    "Lovelace, Ada",
    {"email": "Ada@uni.edu", "login": "alove", "sis": "s001", "lms": "123", "github": "adal"},
)
BOB = Person(
    "bob@uni.edu", "=HYPERLINK(1) Bob", {"email": "bob@uni.edu", "login": "bob", "sis": "s002", "lms": "124"}
)
ZOE = Person("zoe@uni.edu", "Zoë Öz", {"email": "zoe@uni.edu", "login": "zoe", "sis": "s003", "lms": "125"})
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 3 (4711),Essay (4712),Final Score\r\n"
    "    Points Possible,,,,,100,20,(read only)\r\n"
    '"Lovelace, Ada",123,s001,alove,A,,17,\r\n"Bob",124,s002,bob,A,1,=1+1,\r\n"Öz, Zoë",125,s003,zoe,A,EX,3,\r\n'
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    "Participant 12,Zoë Öz,zoe@uni.edu,No submission,,100.00,Yes,-,-,\n"
    'Participant 7,Ada Lovelace,ada@uni.edu,Submitted,,100.00,Yes,"Sunday, 31 January 2027, 11:00 PM",-,\n'
    "Participant 8,Bob,bob@uni.edu,Submitted,,100.00,Yes,-,-,\n"
)


def standing(
    person: Person, judged: Result | None, how: Rules = PLAIN, facts: Facts | None = None
) -> Standing:
    facts = facts or Facts()
    handin = HandIn(Path("x.zip"), "x.zip", person.id, person.id, at="2027-01-31T22:00:00+00:00", by="test")
    return Standing(
        person,
        marks.give(judged, how, facts),
        handin if judged else None,
        marks.counted(judged, how, facts.words) if judged else None,
        {},
        facts,
    )


def given(how: Rules = PLAIN, file: str = "", **more: object) -> Given:
    people = [
        standing(ADA, result(lost={"door-open": 0.5}), how), standing(BOB, result(lost={"bad-download": 0}), how), standing(ZOE, None, how),
    ]  # fmt: skip
    table = tables.parse(file.encode(), "file.csv") if file else None
    return replace(Given(people, how, table), **more)  # type: ignore[arg-type]


def only(form: str, what: Given) -> str:
    made = FORMS[form](what)
    assert len(made) == 1
    return next(iter(made.values())).decode()


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_canvas_gets_its_own_file_with_one_column_filled_in() -> None:
    before, after = rows(CANVAS), rows(only("canvas", given(file=CANVAS, column="Lab 3")))
    assert [row[5] for row in after] == ["Lab 3 (4711)", "100", "98.5", "96", "EX"]
    assert [row[:5] + row[6:] for row in after] == [row[:5] + row[6:] for row in before]
    assert "\r\n" in only("canvas", given(file=CANVAS, column="lab 3 (4711)"))


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        ("", {}, "filled into the gradebook"), (CANVAS, {}, "2 assignments"), (CANVAS, {"column": "Lab 4"}, "Canvas would make a new one"),
        (CANVAS, {"column": "Essay"}, "out of 20"), (CANVAS.replace("124,s002,bob", "999,s999,bo"), {"column": "Lab 3"}, "no row for bob@uni.edu"),
        (CANVAS + '"Lovelace, Ada",123,s001,alove,B,,,\r\n', {"column": "Lab 3"}, "several rows for ada"),
        (CANVAS.replace(",100,", ",100 (read only),"), {"column": "Lab 3"}, "read only"), (WORKSHEET, {}, "no gradebook of Canvas"),
    ],
)  # fmt: skip
def test_what_canvas_would_take_wrongly_is_refused(file: str, more: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as error:
        FORMS["canvas"](given(file=file, **more))
    assert words in error.value.message
    assert error.value.hint


def test_an_unnamed_row_of_others_stays_as_it_is() -> None:
    more = CANVAS + '"Guest, A",9,s9,guest,A,5,5,\r\n'
    assert rows(only("canvas", given(file=more, column="Lab 3")))[-1][5] == "5"


def test_moodles_worksheet_keeps_header_order_and_times() -> None:
    before, after = rows(WORKSHEET), rows(only("moodle-worksheet", given(file=WORKSHEET)))
    assert [row[4] for row in after] == ["Grade", "", "98.5", "96"]
    assert "98.5 of 100 points" in after[2][9]
    assert [row[:4] + row[5:9] for row in after] == [row[:4] + row[5:9] for row in before]


def test_a_worksheet_in_another_language_is_filled_in_by_named_columns() -> None:
    german = (
        WORKSHEET.replace("Identifier", "ID")
        .replace("Participant", "Teilnehmer/in")
        .replace("Grade,Max", "Bewertung,Max")
    )
    german = german.replace("Feedback comments", "Feedback als Kommentar")
    made = rows(
        only(
            "moodle-worksheet",
            given(file=german, column="Bewertung", options={"feedback_column": "Feedback als Kommentar"}),
        )
    )
    assert made[2][4] == "98.5"
    assert made[2][9]
    with pytest.raises(UsageError, match="no column Grade"):
        FORMS["moodle-worksheet"](given(file=german))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "8,Bob,bob@uni.edu,Submitted,,100.00,Yes",
            "8,Bob,bob@uni.edu,Submitted,,100.00,No",
            "lets nobody change",
        ),
        ("100.00", "50.00", "out of 50"),
    ],
)
def test_what_moodle_would_stop_at_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        FORMS["moodle-worksheet"](given(file=WORKSHEET.replace(old, new)))
    assert words in error.value.message


def test_moodles_import_has_grade_and_feedback_and_only_who_has_a_mark() -> None:
    made = rows(only("moodle", given(assignment="Lab 3")))
    assert made[0] == ["username", "email", "idnumber", "Lab 3", "Lab 3 feedback"]
    assert [row[:4] for row in made[1:]] == [
        ["alove", "Ada@uni.edu", "s001", "98.5"],
        ["bob", "bob@uni.edu", "s002", "96"],
    ]
    assert all(row[4] for row in made[1:])


def test_a_decimal_comma_where_it_is_asked_for() -> None:
    assert "98,5" in only("canvas", given(file=CANVAS, column="Lab 3", comma=True))
    semicolons = "Student;ID;Section;Lab 3 (1)\nAda;123;A;\nBob;124;A;\nZoe;125;A;\n"
    assert rows(only("canvas", given(file=semicolons, comma=True)), ";")[1][3] == "98,5"


def test_no_cell_of_ours_is_a_formula() -> None:
    text = only("csv", given())
    assert "'=HYPERLINK(1) Bob" in text
    for form in ("csv", "nbgrader", "moodle"):
        for row in rows(only(form, given())):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)


def test_missing_is_empty_and_no_zero() -> None:
    table = {row[0]: row for row in rows(only("csv", given()))}
    head = table["id"]
    assert table["zoe@uni.edu"][head.index("state")] == "missing"
    assert table["zoe@uni.edu"][head.index("final")] == ""
    assert {row[3]: row[9] for row in rows(only("nbgrader", given()))}["zoe@uni.edu"] == ""


def test_a_mark_that_may_move_is_left_out_unless_asked_for() -> None:
    how = replace(PLAIN, prose=10, prose_questions=("1",))
    assert not given(how).marked
    assert len(given(how, pending=True).marked) == 2


@pytest.mark.parametrize("form", ["gradescope", "junit", "prairielearn", "check50", "classroom50"])
def test_each_person_with_verdicts_has_a_document(form: str) -> None:
    made = FORMS[form](given())
    assert {name.split("/")[0] for name in made} == {"ada@uni.edu", "bob@uni.edu"}


def test_prairielearn_has_a_share_and_every_test_its_points() -> None:
    document = json.loads(FORMS["prairielearn"](given())["ada@uni.edu/results.json"])
    assert document["score"] == 0.985
    assert document["gradable"] is True
    assert all({"name", "points", "max_points"} <= set(test) for test in document["tests"])
    assert sum(test["max_points"] for test in document["tests"]) == 100


def test_check50_has_all_seven_keys_and_three_faces() -> None:
    judged = result(lost={"door-open": 0}).with_line("door-narrow", Verdict(reason="our trouble"))
    word = Facts(words={"door-narrow": Word(1, "seen")})
    what = replace(given(), standings=[standing(ADA, result(lost={"door-open": 0}))])
    document = json.loads(FORMS["check50"](what)["ada@uni.edu/check50.json"])
    assert {frozenset(each) for each in document["results"]} == {
        frozenset({"name", "description", "passed", "log", "cause", "data", "dependency"})
    }
    assert {each["passed"] for each in document["results"]} == {True, False}
    assert all(each["cause"]["rationale"] for each in document["results"] if not each["passed"])
    assert standing(ADA, judged, facts=word).mark.final is not None


def test_classroom50_counts_in_whole_points() -> None:
    document = json.loads(FORMS["classroom50"](given())["ada@uni.edu/result.json"])
    assert document["schema"] == "classroom50/result/v1"
    assert (document["score"], document["max-score"]) == (99, 100)
    assert document["datetime"] == "2027-01-31T22:00:00Z"
    assert sum(test["max-score"] for test in document["tests"]) == 100
    assert all(isinstance(test["score"], int) for test in document["tests"])
    with pytest.raises(UsageError, match="whole points"):
        FORMS["classroom50"](given(replace(PLAIN, scale=12.5)))


def test_junit_is_read_as_xml_with_every_line() -> None:
    root = ElementTree.fromstring(FORMS["junit"](given())["bob@uni.edu/junit.xml"])
    assert len(root.findall("testsuite[@name='rubric']/testcase")) == 42
    failed = [str(case.get("name")) for case in root.iter("testcase") if case.find("failure") is not None]
    assert [name.partition(":")[0] for name in failed] == ["bad-download"]


def test_json_has_everybody_and_the_sum() -> None:
    document = json.loads(only("json", given()))
    assert [each["mark"]["final"] for each in document["people"]] == [98.5, 96, None]
    assert document["people"][0]["mark"]["steps"]


def test_a_difference_against_the_last_export() -> None:
    assert changes({"a": 1.0, "b": 2.0, "gone": 3.0}, {"a": 1.0, "b": 2.5, "new": None}) == [
        ("b", 2.0, 2.5),
        ("gone", 3.0, None),
    ]


def test_an_id_leads_to_no_other_folder() -> None:
    odd = replace(ADA, id="../../etc/passwd")
    made = FORMS["junit"](
        replace(
            given(), standings=[standing(odd, result()), standing(replace(ADA, id="___etc_passwd"), result())]
        )
    )
    assert len(made) == 2
    assert not any(".." in name.split("/")[0][:2] for name in made)
    assert all(name.count("/") == 1 for name in made)


DUE = datetime(2027, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("telling", "day", "reason", "inputs"),
    [
        (Telling("name", "all"), 30, False, False), (Telling("name", "all"), 1, True, True), (Telling("reason", "reason"), 30, True, False),
        (Telling.everything(), 30, True, True),
    ],
)  # fmt: skip
def test_feedback_tells_of_hidden_lines_what_the_course_says_and_when(
    telling: Telling, day: int, reason: bool, inputs: bool
) -> None:
    judged = result()
    seen = Verdict("failed", 0, "the reason of it", "", "wanted 4711", "found 4712", way="as submitted")
    name = next(line.id for line in judged.lines if line.hidden)
    how = replace(PLAIN, due=DUE)
    made = files(
        [standing(ADA, judged.with_line(name, seen), how, Facts(at=DUE))],
        how,
        telling,
        DUE.replace(month=1 if day == 30 else 2, day=day),
    )
    page = made["ada@uni.edu.html"].decode()
    assert ("the reason of it" in page) == reason
    assert ("4711" in page) == inputs


def test_nobody_is_told_hidden_reasons_while_somebody_may_still_hand_in() -> None:
    judged, how = result(), replace(PLAIN, due=DUE)
    name = next(line.id for line in judged.lines if line.hidden)
    failed = judged.with_line(name, Verdict("failed", 0, "the reason of it", way="as submitted"))
    people = [
        standing(ADA, failed, how, Facts(at=DUE)),
        standing(BOB, None, how, Facts(due=DUE.replace(month=3, day=1))),
    ]
    page = files(people, how, Telling("name", "all"), DUE.replace(month=2, day=2))[
        "ada@uni.edu.html"
    ].decode()
    assert "the reason of it" not in page
