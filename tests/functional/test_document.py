"""The screens that the documents show come from runs: every line of every example is seen again, numbers and ids aside.

With LAB_WRITE_SCREENS=FOLDER the screens of this run are written there, for whoever renews the document.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.course.manifest import load
from tests.words import INNER_WORDS

ROOT = Path(labkit.__file__).parent.parent
STEPS = (ROOT / "STEPS.md").read_text()
MANIFEST = load(ROOT)
ADA = ("--student", "ada@uni.edu")
#: what differs from one machine or run to the next: ids, digests, numbers, times of day
_CHANGING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b|\b[A-Z][a-z]{2} \d\d\b|\d+(?:[.,:]\d+)*"
)
pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(1800)]


def plain(text: str) -> str:
    """Text without what changes from run to run, and without blanks: where lines break does not matter."""
    return "".join(_CHANGING.sub("#", text).split())


def examples(step: str) -> Iterator[list[str]]:
    """The example screens of one step's section; pictures and what is typed at a prompt are none."""
    section = re.search(rf"(?ms)^## Step {step}: .*?(?=^## |\Z)", STEPS)
    assert section is not None
    for picture, block in re.findall(r"(?s)(\*\*Picture\.\*\*[^\n]*\n\n)?```\n(.*?)```", section[0]):
        if not picture:
            yield [line for line in block.splitlines() if line.strip("… ") and not line.startswith("[root@")]


def missing(step: str, screen: str) -> list[str]:
    """The lines of the examples of a step that its screen does not have."""
    return [line for block in examples(step) for line in unseen(block, screen)]


def unseen(block: list[str], screen: str) -> list[str]:
    """The lines of a block that a screen does not have; "…" ends a line that goes on."""
    seen = plain(screen)
    return [line for line in block if plain(line.rstrip("… ")) not in seen]


def may_be_wide(line: str) -> bool:
    """Whether one name (an ARN, a path, a URL) fills most of the line, since names are copied whole; or it is a journal's."""
    return max(map(len, line.split())) > 45 or re.match(r"[A-Z][a-z]{2} \d\d \d\d:", line) is not None


@pytest.fixture(scope="module")
def screens(new_lab: Any, fill: Any) -> dict[str, str]:
    """A student's way with everything written at once after step 04: the screens by step."""
    lab, shown = new_lab().with_variables(TZ="CET-1"), dict[str, str]()

    def see(step: str, *arguments: str) -> str:
        output = str(lab.run(*arguments, timeout=400).output)
        shown[step] = shown.get(step, "") + output
        return output

    see("00", "doctor", "--plain")
    see("01", "generate", *ADA, "--plain")
    see("02", "plan", "--plain")
    see("03", "deploy", "--plain")
    see("04", "wire", "--plain")
    lab.run("generate", *ADA, "--solution")
    mine = lab.workspace("ada@uni.edu")
    for gap in MANIFEST.gaps:
        fill(gap.name, mine, lab.workspace("ada@uni.edu.solution"))
    lab.run("deploy", *ADA)
    lab.run("generate", *ADA)
    see("04", "wire", "--plain")
    see("04", "shell", "server")
    see("04", "shell", "server", "--", "journalctl", "-u", "flask-app", "-n", "3", "--no-pager")
    see("05", "process", "--plain")
    see("06", "break", "--fault", "route-gone", "--plain")
    while lab.run("break", "--undo").status:
        pass
    see("07", "measure", "--expect", "300", "--plain")
    kept = str(mine / "measurements" / "rate-1-like-aws.json")
    see("07", "measure", "--like", "AWS", "--plain")
    lab.run("measure")
    see("07", "measure", "--check", "--compare", kept, "--plain")
    if shutil.which("terraform"):
        see("08", "compare", "--plain")
    see("09", "grade", "--plain")
    see("10", "destroy", "--plain")
    see("11", "submit", "--plain")
    lab.stop()
    if folder := os.environ.get("LAB_WRITE_SCREENS"):
        for step, text in shown.items():
            (Path(folder) / f"{step}.txt").write_text(text)
    return shown


@pytest.mark.parametrize("step", [s.number for s in MANIFEST.steps if s.number != "00"])
def test_every_line_of_an_example_is_seen_in_a_run(screens: dict[str, str], step: str) -> None:
    if step == "08" and step not in screens:
        pytest.skip("no Terraform here")
    assert missing(step, screens.get(step, "")) == []


def test_no_screen_says_a_word_of_the_kits_own_or_is_too_wide(screens: dict[str, str]) -> None:
    for step, screen in screens.items():
        assert INNER_WORDS.findall(screen) == [], step
        assert [line for line in screen.splitlines() if len(line) > 80 and not may_be_wide(line)] == [], step


def test_the_doctor_says_the_same_things_of_any_machine(screens: dict[str, str]) -> None:
    """Its values are the machine's own; its lines and their order are the kit's."""

    def heads(text: str) -> list[str]:
        return [h for h in re.findall(r"(?m)^[✓!✗] (\w+) ", text) if h != "This"]

    (block,) = (lines for lines in examples("00"))
    assert [h for h in heads("\n".join(block)) if h != "This"] == [
        h for h in heads(screens["00"]) if h != "This"
    ]


def test_a_line_that_nobody_printed_would_be_found() -> None:
    assert missing("01", "01 Make your own files from the templates\n")
    assert plain("✓ stored (26,471 bytes, 131 ms)") == plain("✓ stored (1 bytes,   2.5 ms)")


# ---- The other documents ------------------------------------------------------------------------------


def test_the_readmes_demo_is_what_the_demo_prints(lab: Any) -> None:
    (block,) = re.findall(r"(?s)\n```\n(.*?)```", (ROOT / "README.md").read_text())
    shown = lab.run("demo", "--plain")
    assert shown.status == 0, shown
    assert unseen(block.splitlines(), shown.output) == []
    titles = [line for line in block.splitlines() if re.match(r"\d\d ", line)]
    assert titles == [line for line in shown.output.splitlines() if re.match(r"\d\d ", line)], (
        "every step, in order"
    )


@pytest.mark.parametrize("name", [path.name for path in (ROOT / "docs").glob("*.md")])
def test_what_a_document_types_in_the_server_answers_as_it_says(deployed_solution: Any, name: str) -> None:
    """Indented blocks of `$ command` and what it prints."""
    typed = re.findall(r"(?m)^    \$ (.*)\n((?:    (?!\$ ).*\n)+)", (ROOT / "docs" / name).read_text())
    for command, answer in typed:
        run = deployed_solution.run("shell", "server", "--", "sh", "-c", command)
        assert unseen(answer.splitlines(), run.output + run.errors) == [], (command, run)
    assert typed or name != "local-cloud.md"
