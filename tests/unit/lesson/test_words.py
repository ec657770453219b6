"""Of the kit's own words a student meets eight."""

import re
from pathlib import Path

import pytest

import labkit
from tests.words import INNER_WORDS, texts

ROOT = Path(labkit.__file__).parent.parent
EIGHT = {"step", "gap", "check", "hint", "your own values", "local cloud", "aws", "mark"}


@pytest.mark.slow
def test_no_text_for_students_says_another_word_of_the_kits_own() -> None:
    found = [(where, word) for where, text in texts(ROOT) for word in INNER_WORDS.findall(text)]
    assert found == []


def test_the_document_begins_with_the_eight_words() -> None:
    (paragraph,) = re.findall(
        r"(?s)A few words that you meet everywhere\..*?\n\n", (ROOT / "STEPS.md").read_text()
    )
    assert {word.lower() for word in re.findall(r"\*\*(.+?)\*\*", paragraph)} == EIGHT


def test_an_inner_word_would_be_found_and_a_name_is_none() -> None:
    assert INNER_WORDS.findall("Your workspace has no Rubric.") == ["workspace", "Rubric"]
    assert (
        INNER_WORDS.findall("--variant CODE, .lab/workspace.json, tag:lab:variant, terraform.tfstate") == []
    )
