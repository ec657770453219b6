"""Answers are read as people write Markdown: the same number in whatever markup, and a true word where there is none."""

import time

import pytest

from labkit.course import answers
from labkit.course.answers import Question

PER_CENT, USD, MS = (
    Question("3", "Share", "How much?", "server_share", "per cent"),
    Question("4", "Cost", "How much?", "million_cost", "USD"),
    Question("8", "Slow", "How long?", "p99", "ms"),
)
#: forms of the number that the measurement gives: 59.8269 per cent
RIGHT = [
    "Number: 59.8269", "**Number:** 59.8", "**Number**: 59.8", "*Number:* 59.8", "__Number:__ 59.8", "***Number:*** `59.8`",
    "- Number: 59.8", "* Number: **59.8**", "> Number: 59.8", "1. Number: 59.8", "- [x] Number: 59.8", "### Number: 59.8",
    "Number : 59.8", "number: 59.8", "NUMBER: 59.8", "Number: 59,8", "Number: 59.8 %", "Number: 59.8%", "Number: 59.8 per cent",
    "Number: about 59.8", "Number: ~59.8", "Number: ≈ 60", "Number: \\~59.8", "Number (per cent): 59.8", "Number in percent: 59.8",
    "Number: (per cent) 59.8", "Number = 59.8", "Number:\n59.8\n(per cent)", "Number:  \n(per cent)\n\n59.8", "| Number | 59.8 |",
    "| Number: | 59.8 % |", "| Number | Unit |\n|---|---|\n| 59.8 | per cent |", "| Unit | Number (%) |\n|:--|--:|\n| per cent | 59.8 |",
    "<b>Number:</b> 59.8", "<p>Number: <code>59.8</code></p>", "Number:&nbsp;59.8", "Number:\u00a059.8", "Number: <!-- see file --> 59.8",
    "<!-- Number: 1 -->\nNumber: 59.8", "Number: 8.61 / 14.4 = 59.8 %", "Number: 5.98e1", "Number: 5.98 × 10^1", "Number: +59.8",
    "Number: \uff15\uff19.\uff18", "\ufeffNumber: 59.8", "Number: $59.8$", "```\nNumber: 59.8\n```", "    Number: 59.8", "Number: 59.8269 ms",
    "Number: p50 share: 59.8", "Number: [59.8](measurement.json)", "Number: \u200b59.8", "Number: 059.8",
]  # fmt: skip
WRONG = [
    "Number: 12",
    "**Number:** 0.598",
    "Number: -59.8",
    "Number: 5980",
    "Number: 59 800",
    "Number: 70 %",
    "Number: 1e999",
]
NOTHING = [
    "Number:", "**Number:**", "Number:  \n(per cent)\n\nAnswer: 59.8 of 100", "Number: see below", "Number: n/a", "| Number | |",
    "Number: sixty", "Number: nan", "Number: inf", "Number: p50",
]  # fmt: skip


def numbered(below: str, question: Question, computed: float) -> answers.Numbered:
    return answers.compared(
        question, answers.sections(f"## {question.id}. X\n\n{below}\n", [question])[question.id], computed
    )


@pytest.mark.parametrize("below", RIGHT)
def test_a_right_number_is_right_in_any_markup(below: str) -> None:
    for text in (below, below.replace("\n", "\r\n")):
        assert numbered(text, PER_CENT, 59.8269).wrong == ""


@pytest.mark.parametrize("below", WRONG)
def test_a_wrong_number_is_told_as_wrong(below: str) -> None:
    assert "question 3" in numbered(below, PER_CENT, 59.8269).wrong


@pytest.mark.parametrize("below", NOTHING)
def test_no_number_is_told_as_none_and_not_as_wrong(below: str) -> None:
    assert numbered(below, PER_CENT, 59.8269).wrong == "no number was found behind `Number:` of question 3"


def test_a_label_that_is_gone_is_told() -> None:
    assert "no `Number:`" in numbered("Answer: it is 59.8 per cent.", PER_CENT, 59.8269).wrong


@pytest.mark.parametrize(
    "text",
    ["1234.5", "1,234.5", "1.234,5", "1 234,5", "1'234.5", "1’234,5", "1_234.5", "1\u202f234.5", "1.2345 s", "1,2345 s", "1,234", "1.234 s", "1234 ms", "1234500 µs"],
)  # fmt: skip
def test_thousands_and_units_of_time_are_read(text: str) -> None:
    assert numbered(f"Number: {text}", MS, 1234.5).wrong == ""


@pytest.mark.parametrize(
    "text", ["0.2749", "$0.275", "0,27 USD", "USD 0.275", "27.5 cents", "27.5 ¢", ".275", "0.28 $"]
)
def test_money_is_read(text: str) -> None:
    assert numbered(f"Number: {text}", USD, 0.2749).wrong == ""


@pytest.mark.parametrize(
    "heading",
    ["## 8. The slowest", "##8. The slowest", "### 8) The slowest", "## **8.** The slowest", "## Question 8: The slowest", "# 8 The slowest", "## 8. The slowest ##"],
)  # fmt: skip
def test_headings_may_look_otherwise_and_stand_in_any_order(heading: str) -> None:
    text = f"# Answers\n\n{heading}\nNumber: 21.7\n\n## 3. Share\n\nNumber: 60\n"
    below = answers.sections(text, [PER_CENT, MS])
    assert [
        answers.compared(q, below[q.id], value).wrong for q, value in ((MS, 21.67), (PER_CENT, 59.8))
    ] == ["", ""]


def test_an_empty_bold_answer_is_no_answer(tmp_path) -> None:
    file = tmp_path / "questions.toml"
    file.write_text(
        '[[question]]\nid = "1"\ntitle = "a"\ntext = "b"\n[[question]]\nid = "2"\ntitle = "a"\ntext = "b"\n'
    )
    (tmp_path / answers.FILE).write_text("## 1. a\n\n**Answer:**\n\n## 2. a\n\n**Answer:** yes\n")
    assert [q.id for q in answers.unanswered(tmp_path, file)] == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "*" * 200_000,
        "[" * 200_000,
        "<!--" * 50_000,
        "Number: " + "9" * 200_000,
        "|" * 200_000,
        "- " * 100_000,
        "Number:" + " " * 200_000,
        "(" * 200_000,
    ],
    ids=range(8),
)
def test_reading_takes_no_longer_than_the_text_is_long(text: str) -> None:
    begun = time.process_time()
    numbered(text, PER_CENT, 1.0)
    assert time.process_time() - begun < 2
