"""What texts tell people to type can be pasted: whole lines, and the place where they mean something."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import LabError
from labkit.cli import main as cli
from labkit.course.manifest import load
from labkit.lesson.help.texts import Texts

ROOT = Path(labkit.__file__).parent.parent
TEXTS = Texts(load(ROOT))
_AWS = re.compile(r"\baws (?:s3|s3api|ec2|iam|lambda|logs|dynamodb|cloudformation) [a-z]")


def said() -> Iterator[tuple[str, str]]:
    """(where, text) of every hint and card."""
    for hint in TEXTS.hints:
        yield from ((f"hint {hint.gap} {hint.symptom} {n}", tier) for n, tier in enumerate(hint.tiers, 1))
    yield from ((f"card {card.name}", card.says) for card in TEXTS.cards)


def test_a_command_of_the_aws_cli_is_a_line_of_its_own_that_says_where_to_type_it() -> None:
    for where, text in said():
        lines = [line for line in text.splitlines() if _AWS.search(line)]
        for line in lines:
            assert re.match(r"    (aws|.*aws dynamodb create-table help)", line), (where, line)
            assert len(line) <= 80, (where, line)
        if lines and not where.endswith(" 3"):  # the third is an example on another thing
            assert "./lab shell" in text, where


def lab_commands() -> Iterator[tuple[str, list[str]]]:
    """(file, words) of every `./lab …` in the kit's own messages and texts, as far as it is words."""
    files = [*(ROOT / "labkit").rglob("*.py"), *(ROOT / "texts").glob("*.toml")]
    for path in files:
        for found in re.finditer(r"\./lab((?: (?:--)?[a-z0-9][\w@.-]*)+)", path.read_text(encoding="utf-8")):
            yield str(path.relative_to(ROOT)), found[1].split()


def test_every_command_that_a_screen_names_exists() -> None:
    """Its first word is a command, and each of its options one that this command takes."""
    parser = cli._parser()
    commands = next(action for action in parser._actions if action.dest == "name").choices
    assert isinstance(commands, dict)
    seen = 0
    for file, words in lab_commands():
        name = words[0].rstrip(".")
        if name.startswith("-"):
            continue
        assert name in {*commands, "setup", "doctor"}, (file, words)
        if name in commands and not any(isinstance(each.choices, dict) for each in commands[name]._actions):
            known = {option for action in commands[name]._actions for option in action.option_strings}
            assert {word for word in words if word.startswith("--")} <= known, (file, words)
            seen += 1
    assert seen > 100


@pytest.mark.parametrize("words", [["gap", "unit", "--engine", "terraform"], ["skip", "unit", "--code", "x"]])
def test_commands_with_words_of_ones_own_are_parsed(words: list[str]) -> None:
    try:
        cli._parser().parse_args(words)
    except LabError as error:
        pytest.fail(error.message)
