"""The result as Markdown, for issues, pull requests and job summaries.

What belongs here: the text, with everything that others wrote made harmless. What does not: its words (words).
"""

import re
from collections.abc import Iterator

from labkit.grading.model import LineResult, Result, worst_first
from labkit.grading.reports import words

_HEAD = ("| | line | points | what must hold |", "|---|---|---:|---|")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@:$-])")
#: what is linked though it is escaped: addresses, mentions, numbers of issues; a word joiner ends it and is not seen
_LINKED = re.compile(r"(?<=[@#:])(?=\S)|(?<=\bwww)(?=\.)|(?<=\bGH)(?=-)", re.IGNORECASE)


def render(result: Result, *, hidden: bool = False) -> str:
    """The whole report."""
    result = words.told(result, hidden=hidden)
    return (
        "\n".join(
            [
                *_head(result),
                *_losses(result),
                *_unjudged(result),
                *_table(result),
                *_bonus(result),
            ]
        )
        + "\n"
    )


def text(value: object) -> str:
    """`value` as plain text: no formatting, link, image, mention or HTML of it works."""
    return _SPECIAL.sub(r"\\\1", _LINKED.sub("\u2060", " ".join(str(value).split())))


def code(value: object) -> str:
    """`value` between backticks, more of them than it holds in a row."""
    plain = " ".join(str(value).split())
    if not plain:
        return "nothing"
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {plain} {fence}" if longest else f"`{plain}`"


def _head(result: Result) -> Iterator[str]:
    yield f"# {text(words.headline(result))}"
    yield ""
    yield f"{code(result.about.get('student', ''))}, {text(result.about.get('engine', ''))}"
    for sentence in words.circumstances(result):
        yield f"\n{text(sentence)}"


def _losses(result: Result) -> Iterator[str]:
    losses = worst_first(result.lines)
    if losses:
        yield "\n## What to mend, the costliest first"
    for line in losses:
        yield f"\n### ✗ {line.id}: {text(line.title)} (−{words.points(line.lost)} of {line.points})\n"
        yield from _facts(line)


def _facts(line: LineResult) -> Iterator[str]:
    verdict = line.verdict
    yield f"- seen: {text(verdict.reason)}"
    for label, value in (("expected", verdict.expected), ("found", words.found(line))):
        if value:
            yield f"- {label}: {code(value)}"
    yield from (f"- shows: {code(each)}" for each in verdict.evidence)
    if verdict.hint:
        yield f"- try: {text(verdict.hint)}"
    if words.why(line):
        yield f"- why: {text(words.why(line))}"
    yield f"- back to: {text(words.back_to(line))}"
    if words.proof(line):
        yield f"- judged: {text(words.proof(line))}"


def _unjudged(result: Result) -> Iterator[str]:
    for heading, lines in words.unjudged_by_cause(result):
        yield f"\n## {text(heading)}"
        for line in lines:
            hint = f" Try: {text(line.verdict.hint)}" if line.verdict.hint else ""
            yield f"\n? {line.id}: {text(line.verdict.reason)}{hint}"
    yield from (f"\n! {text(each)}" for each in result.trouble)
    notes = words.notes(result)
    if notes:
        yield "\n## Noted, and costs nothing\n"
    yield from (f"- {line}: {text(note)}" for line, note in notes)


def _table(result: Result) -> Iterator[str]:
    yield "\n## All lines\n"
    yield from _HEAD
    for line in result.lines:
        proof = f" ({line.proof})" if result.is_live and line.proof != "none" else ""
        yield _row(line, line.title + proof)


def _row(line: LineResult, what: str) -> str:
    mark = {"passed": "✓", "failed": "✗", "not judged": "?"}[line.verdict.outcome]
    earned = "?" if mark == "?" else words.points(line.earned)
    return f"| {mark} | {line.id} | {earned}/{line.points} | {text(what)} |"


def _bonus(result: Result) -> Iterator[str]:
    asked = [line for line in result.bonus if words.asked_for(line)]
    if asked:
        yield f"\n## {text(words.bonus(result))}\n"
        yield from _HEAD
        yield from (_row(line, words.bonus_line(line)) for line in asked)
