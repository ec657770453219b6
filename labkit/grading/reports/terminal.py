"""The result for a terminal of 80 columns: the mark, what to know, losses first, then everything.

What belongs here: lines of text, each with a style. What does not: printing (labkit.cli.console).
"""

import textwrap
from collections.abc import Iterator

from labkit.grading.model import LineResult, Result, worst_first
from labkit.grading.reports import words

WIDTH = 80
_MARKS = {"passed": "✓", "failed": "✗", "not judged": "?"}
_STYLES = {"✓": "good", "✗": "bad", "?": "warn"}

#: (text, style of labkit.cli.console)
Row = tuple[str, str]


def render(result: Result, *, hidden: bool = False) -> list[Row]:
    """The report. `hidden`: tell of hidden lines what they saw."""
    result = words.told(result, hidden=hidden)
    return [
        *_head(result),
        *(row for line in worst_first(result.lines) for row in _loss(line)),
        *_unjudged(result),
        *_all(result),
        *_bonus(result),
        *_notes(result),
        *_foot(result),
    ]


def _head(result: Result) -> Iterator[Row]:
    yield "", ""
    yield words.headline(result), "good" if result.is_final and result.score == result.total else "strong"
    for sentence in words.circumstances(result):
        yield from _wrapped(sentence, "  ", "dim")


def _loss(line: LineResult) -> Iterator[Row]:
    verdict = line.verdict
    yield "", ""
    yield from _wrapped(
        f"✗ {line.id}: {line.title}   -{words.points(line.lost)} of {line.points}", "  ", "bad", first=""
    )
    yield from _fields(("seen", verdict.reason), ("expected", verdict.expected), ("found", words.found(line)))
    for number, text in enumerate(verdict.evidence):
        yield from _field("shows" if not number else "", text)
    yield from _fields(
        ("why", words.why(line)),
        ("try", verdict.hint),
        ("back to", words.back_to(line)),
        ("judged", words.proof(line)),
    )


def _unjudged(result: Result) -> Iterator[Row]:
    for heading, lines in words.unjudged_by_cause(result):
        yield "", ""
        yield from _wrapped(heading, "  ", "strong", first="")
        for line in lines:
            yield from _wrapped(f"? {line.id}: {line.verdict.reason}", "  ", "warn", first="")
            yield from _fields(("try", line.verdict.hint))
    for text in result.trouble:
        yield from _wrapped(f"! {text}", "  ", "warn", first="")


def _all(result: Result) -> Iterator[Row]:
    rows = [_row(line, result) for line in result.lines if words.asked_for(line)]
    yield from [("", ""), *rows] if rows else []


def _row(line: LineResult, result: Result) -> Row:
    mark = _MARKS[line.verdict.outcome]
    score = f"{words.points(line.earned)}/{line.points}" if mark != "?" else f"?/{line.points}"
    proof = f"{line.proof.replace('none', ''):<7}" if result.is_live else ""
    row = f"{mark} {score:>6}  {proof}{line.id:<18} {line.title}"
    return row if len(row) <= WIDTH else f"{row[: WIDTH - 1]}…", _STYLES[mark]


def _bonus(result: Result) -> Iterator[Row]:
    """Bonus lines: what was not earned is no loss, so it stands at the end, with the way to it."""
    asked = [line for line in result.bonus if words.asked_for(line)]
    if asked:
        yield "", ""
        if any(map(words.asked_for, result.lines)):
            yield words.bonus(result), "strong"
    for line in asked:
        text, style = _row(line, result)
        yield text, "dim" if style == "bad" else style
        verdict = line.verdict
        if not verdict.passed:
            yield from _fields(("seen", verdict.reason), ("try", verdict.hint))


def _notes(result: Result) -> Iterator[Row]:
    notes = words.notes(result)
    if notes:
        yield "", ""
        yield "Noted, and costs nothing:", "strong"
    for line, note in notes:
        yield from _wrapped(f"{line}: {note}", "  ", "dim", first="")


def _foot(result: Result) -> Iterator[Row]:
    alone = [line.id for line in result.lines if line.verdict.passed and line.verdict.way == "alone"]
    if alone and not result.about.get("gap"):
        yield "", ""
        text = "Proved by your text alone, in the reference system, because the whole did not work: "
        yield from _wrapped(text + ", ".join(alone) + ".", "  ", "dim", first="")


def _fields(*pairs: tuple[str, str]) -> Iterator[Row]:
    for label, text in pairs:
        if text:
            yield from _field(label, text)


def _field(label: str, text: str) -> Iterator[Row]:
    yield from _wrapped(f"  {label:<9}{text}", " " * 11, "", first="")


def _wrapped(text: str, indent: str, style: str, *, first: str | None = None) -> Iterator[Row]:
    lead = len(text) - len(text.lstrip(" ")) if first == "" else 0
    wrapped = textwrap.wrap(
        text.lstrip(" "),
        WIDTH,
        initial_indent=" " * lead if first == "" else indent,
        subsequent_indent=indent,
        break_long_words=True,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    for line in wrapped:
        yield line, style
