"""People's marks: checked before they count, names hidden while written answers are marked, a table there and back."""

from pathlib import Path

import pytest

from labkit.base.errors import UsageError
from labkit.classroom import marking, marks, rules, tables
from labkit.classroom.handins import HandIn
from labkit.classroom.ledger import Override, ProseMark
from labkit.classroom.roster import Person, Roster
from labkit.classroom.standing import Standing
from tests.unit.classroom.rosters import COURSE, LAB

PLAIN = rules.of_course(COURSE, LAB)
AT = "2027-02-02T00:00:00+00:00"
PEOPLE = Roster((Person("ada@uni.edu", "Ada", {"email": "ada@uni.edu"}), Person("bob@uni.edu", "Bob", {})))


def word(
    line: str, points: str, reason: str = "nearly", by: str = "ta", who: str = "ADA@uni.edu"
) -> Override:
    return marking.override(PEOPLE, PLAIN, who, line, points, reason, by, AT)


def test_a_word_is_taken_with_points_reason_and_who() -> None:
    assert word("door-open", "2,5") == Override("ada@uni.edu", "door-open", 2.5, "nearly", "ta", AT)
    assert word("door-open", "").points is None
    assert word(marks.WHOLE, "100").line == "mark"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"line": "door-opn", "points": "1"}, "no line door-opn"), ({"line": "door-open", "points": "4"}, "0 to 3 points"),
        ({"line": "door-open", "points": "-1"}, "0 to 3 points"), ({"line": "door-open", "points": "many"}, "no points"),
        ({"line": "door-open", "points": "nan"}, "0 to 3 points"), ({"line": "door-open", "points": "1", "reason": " "}, "needs a reason"),
        ({"line": "door-open", "points": "1", "by": ""}, "needs a reason"), ({"line": "door-open", "points": "1", "who": "adda@uni.edu"}, "nobody"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        word(**given)
    assert words in error.value.message


def test_words_go_to_a_table_and_back_and_only_new_ones_count() -> None:
    known = [word("door-open", "2.5", "=a formula")]
    table = tables.parse(tables.write(marking.overrides_table(known)), "o.csv")
    assert marking.read_overrides(table, PEOPLE, PLAIN, AT, known) == []
    more = tables.parse(tables.write(marking.overrides_table([*known, word("door-narrow", "1")])), "o.csv")
    assert [each.line for each in marking.read_overrides(more, PEOPLE, PLAIN, AT, known)] == ["door-narrow"]
    wrong = tables.parse(b"id,line,points,reason,by\nada@uni.edu,door-open,99,x,ta\n", "o.csv")
    with pytest.raises(UsageError, match="row 2: door-open has 0 to 3"):
        marking.read_overrides(wrong, PEOPLE, PLAIN, AT, [])


def class_of(*names: str) -> list[Standing]:
    return [
        Standing(Person(name, f"Name of {name}"), marks.give(None, PLAIN), HandIn(Path("x"), "x", name, name), None,
                 {"answers": {"1": f"=because of {n}", "2": "two"}})
        for n, name in enumerate(names)
    ]  # fmt: skip


def test_answers_come_question_by_question_without_names_in_the_same_order_each_time() -> None:
    found = marking.answers(class_of("ada", "bob", "cy", "dan"), ("1", "2"), "salt")
    assert [each.question for each in found] == ["1"] * 4 + ["2"] * 4
    assert found == marking.answers(class_of("ada", "bob", "cy", "dan"), ("1", "2"), "salt")
    text = tables.write(marking.answers_table(found, [], "ta")).decode()
    assert not any(name in text for name in ("ada", "bob", "Name of"))
    assert len({each.code for each in found}) == 8


def test_marks_for_answers_go_to_a_table_and_back() -> None:
    found = marking.answers(class_of("ada", "bob"), ("1",), "salt")
    rows = tables.write(marking.answers_table(found, [], "ta")).decode().splitlines()
    filled = "\n".join([rows[0], rows[1].removesuffix(",,") + ",2,good", rows[2]])
    given = marking.read_answers(tables.parse(filled.encode(), "a.csv"), found, "ta", AT)
    assert [(each.person, each.question, each.mark, each.comment, each.by) for each in given] == [
        (found[0].person, "1", 2, "good", "ta")
    ]
    assert marking.open_answers(found, given, "ta") == found[1:]
    assert marking.open_answers(found, given, "another") == found
    for wrong, words in ((",3,", "no mark"), (",2.0,", "no mark")):
        with pytest.raises(UsageError, match=words):
            marking.read_answers(
                tables.parse(filled.replace(",2,", wrong).encode(), "a.csv"), found, "ta", AT
            )
    with pytest.raises(UsageError, match="no answer"):
        marking.read_answers(
            tables.parse(filled.replace(found[0].code, "x").encode(), "a.csv"), found, "ta", AT
        )


def test_agreement_of_two_graders_takes_off_what_chance_gives() -> None:
    def given(by: str, *values: int) -> list[ProseMark]:
        return [ProseMark(f"p{n}", "1", mark, "", by, AT) for n, mark in enumerate(values)]

    same = marking.agreement([*given("a", 0, 1, 2, 2), *given("b", 0, 1, 2, 1)])[0]
    assert (same.both, same.same, same.graders) == (4, 3, ("a", "b"))
    assert same.kappa == 0.64  # (0.75 - 5/16) / (1 - 5/16)
    assert marking.agreement([*given("a", 1, 1), *given("b", 1, 1)])[0].kappa is None
    assert marking.agreement(given("a", 1)) == []
