"""What the documents tell to type exists, and their tables are those of the kit; nothing is run here.

Screens are compared with runs in tests/functional/test_document.py.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.__main__ as measuring
import labkit
from labkit.cli.main import _parser
from labkit.course import course, course_file, toml_file
from labkit.course.course_file import REPAIRABLE
from labkit.course.manifest import load
from labkit.lesson.faults import faults

ROOT = Path(labkit.__file__).parent.parent
MANIFEST = load(ROOT)
DOCUMENTS = (
    *("README.md", "STEPS.md", "CONTRIBUTING.md", "CHANGELOG.md", "texts/README.handout.md"),
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
)
MAKEFILE = (ROOT / "Makefile").read_text()


def code(name: str) -> Iterator[str]:
    """Lines of blocks and spans between backticks of a document."""
    text = (ROOT / name).read_text()
    for block in re.findall(r"(?ms)^```[^\n]*\n(.*?)^```", text):
        yield from block.splitlines()
    rest = re.sub(r"(?ms)^```.*?^```", "", text)
    yield from (line.strip() for line in re.findall(r"(?m)^    .*", rest))
    yield from (" ".join(span.split()) for span in re.findall(r"(?s)`([^`\n]*(?:\n[^`\n]+)?)`", rest))


def typed(program: str) -> list[tuple[str, str]]:
    """(document, words) of everything that is typed to `program`; comments and what a pipe or `&&` begins aside."""
    lines = ((name, line) for name in DOCUMENTS for line in code(name))
    found = {
        (name, re.sub(r"\s{2,}.*| #.*|\s&&.*|\s\(.*", "", words).strip(" .,:"))
        for name, line in lines
        for words in re.findall(rf"(?<!\S){program}(?: ([^`\n|;,]*)|$)", line)
    }
    return sorted(each for each in found if each[1] or program != "make")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), typed(r"(?:\./lab|lab(?= grade))"))
def test_every_command_is_taken_by_the_command_line(name: str, words: str) -> None:
    given = shlex.split(words)
    if given[:1] in (["doctor"], ["setup"]):
        return  # the file `lab` answers these by itself
    _parser().parse_args([word for word in given if word != "--help"])


def options() -> set[str]:
    """Every option of every command."""
    parsers, found = [_parser()], set[str]()
    for parser in parsers:  # grows
        for action in parser._actions:
            found |= set(action.option_strings)
            choices = action.choices if isinstance(action.choices, dict) else {}
            parsers += [each for each in choices.values() if each not in parsers]
    return found


@pytest.mark.parametrize(
    "name", [name for name in DOCUMENTS if name != "CONTRIBUTING.md"]
)  # which names those of uv
def test_every_option_that_is_named_alone_exists(name: str) -> None:
    named = {
        word for span in code(name) if span.startswith("--") for word in re.findall(r"--[a-z][a-z-]+", span)
    }
    others = {
        "--capabilities",
        "--parameter-overrides",
        "--template-body",
        "--cap-add",
        "--security-opt",
    }  # the AWS CLI's, Docker's
    assert named - others <= options()


@pytest.mark.parametrize(("name", "words"), typed("make"))
def test_every_make_target_and_variable_exists(name: str, words: str) -> None:
    for word in re.findall(r"[\w-]+=?", words.split("  ")[0]):
        if re.fullmatch(r"[A-Z]+=", word):
            assert f"$${word[:-1]}" in MAKEFILE, name
    target = words.split()[0]
    assert re.search(rf"(?m)^{re.escape(target)}:", MAKEFILE), name


@pytest.mark.parametrize(("name", "words"), typed("python -m bench"))
def test_every_section_of_the_bench_exists(name: str, words: str) -> None:
    assert set(words.split()) <= {*measuring.KNOWN, *measuring.NAMED}, name


def test_every_file_that_is_linked_or_run_exists() -> None:
    for name in DOCUMENTS:
        text = (ROOT / name).read_text()
        beside = (
            ROOT if name.startswith("texts/") else (ROOT / name).parent
        )  # the hand-out's stands at its top
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (beside / link).exists(), (name, link)
        for script in re.findall(r"steps/\d\d_\w+\.py", text):
            assert (ROOT / script).exists(), (name, script)
        for path in re.findall(r"`((?:labkit|docs|tests|lesson|grader|templates|solution)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), (name, path)


# ---- Tables -------------------------------------------------------------------------------------------


def rows(name: str, head: str) -> list[list[str]]:
    """The rows of a document's table that begins with `head`."""
    text = (ROOT / name).read_text()
    found = re.search(rf"(?m)^\| {re.escape(head)} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", text)
    assert found is not None, head
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in found[1].splitlines()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_module_and_file_of_the_kit_that_is_named_exists(name: str) -> None:
    """`labkit/cloud/door`, and as modules `grading.process.warm` and, of the cloud's own, `door.admission`."""
    for word in code(name):
        if re.fullmatch(r"labkit/[\w/.-]+", word):
            assert (ROOT / word).exists(), word
        elif re.fullmatch(r"(cloud|grading|lesson|deploy|sandbox|door)(\.[a-z_]+)+", word):
            places = [
                ROOT / "labkit" / word.replace(".", "/"),
                ROOT / "labkit/cloud" / word.replace(".", "/"),
            ]
            assert any(place.is_dir() or place.with_suffix(".py").exists() for place in places), word


def test_the_instructors_table_of_presets_is_the_kits() -> None:
    for preset, written, minutes in rows("docs/instructor.md", "preset"):
        given = set() if preset == "full" else {g.name for g in MANIFEST.gaps} - set(course.PRESETS[preset])
        own = sorted((gap for gap in MANIFEST.gaps if gap.name not in given), key=lambda gap: gap.order)
        assert written in ("all ten", ", ".join(gap.name for gap in own))
        assert int(minutes) == sum(gap.minutes for gap in own)


def test_the_instructors_table_of_faults_is_the_kits() -> None:
    told = {name: (kind, stops) for name, kind, stops, _ in rows("docs/instructor.md", "fault")}
    assert told == {name: (faults.by_name(name).kind, faults.by_name(name).hop) for name in REPAIRABLE}
    assert set(REPAIRABLE) == {fault.name for fault in faults.ALL if fault.kind != "outside"}


def test_the_instructors_table_of_lines_names_lines_that_exist() -> None:
    lines = set(re.findall(r'(?m)^id = "([\w-]+)"', (ROOT / "lab.toml").read_text()))
    gaps, steps = {gap.name for gap in MANIFEST.gaps}, {step.number for step in MANIFEST.steps}
    for _, in_steps, in_gaps, in_lines, _ in rows("docs/instructor.md", "outcome: the student can …"):
        assert set(in_steps.split(", ")) <= steps
        assert set(in_gaps.split(", ")) <= gaps | {"–"}
        assert set(in_lines.split(", ")) <= lines


def test_the_instructors_example_of_course_toml_is_taken() -> None:
    (block,) = re.findall(r"(?s)```toml\n(.*?)```", (ROOT / "docs" / "instructor.md").read_text())
    course_file.refuse_unknown(toml_file.parse(block, "course.toml", ""), ["door-narrow"])
