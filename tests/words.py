"""The kit's own words for its parts, which students never meet: they meet step, gap, check, hint, local cloud, AWS, own values, mark.

What belongs here: the words, and where texts for students stand. Used by the fast tests on texts and the long ones on screens.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

#: words of docs/architecture.md and of the programs; in an option, a tag or a file's name they are names, not words
INNER_WORDS = re.compile(
    r"(?<![-:/.\w])(?:workspaces?|variants?|manifests?|tiers?|rubrics?|starters?|reconcilers?|survivors?|fingerprints?"
    r"|warm parents?|moto|fabrics?|seams?|harness)(?![-:/\w]|\.\w)",
    re.IGNORECASE,
)
#: the modules whose words only instructors and those who change the kit read
_INSTRUCTORS = (
    "class_command.py",
    "class_folder.py",
    "class_grading.py",
    "class_looks.py",
    "class_people.py",
    "course.py",
    "course_file.py",
    "course_words.py",
    "handout.py",
)
_SPEAKING = (
    "labkit/lesson/**/*.py",
    "labkit/deploy/*.py",
    "labkit/deploy/planning/*.py",
    "labkit/deploy/removing/*.py",
    "labkit/grading/reports/*.py",
    "labkit/base/*.py",
    "labkit/course/*.py",
    "labkit/cli/*.py",
)


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """(where, text) of everything that a student may read: documents, the lesson's texts, what programs say."""
    for name in ("STEPS.md", "texts/README.handout.md"):
        yield name, (root / name).read_text()
    for path in sorted((root / "texts").glob("*.toml")):
        yield path.name, re.sub(r"(?m)^#.*|^tiers = \[", "", path.read_text())
    for path in sorted((root / "templates").rglob("*.*")):
        yield path.name, "\n".join(re.findall(r"(?m)(?:^|\s)(#.*)$", path.read_text()))
    for pattern in _SPEAKING:
        for path in sorted(root.glob(pattern)):
            if path.name not in _INSTRUCTORS:
                yield from ((f"{path.name}:{line}", said) for line, said in _said(path))


def _said(path: Path) -> Iterator[tuple[int, str]]:
    """A program's texts of more than one word, docstrings aside."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(getattr(node.body[0], "value", None)) for node in ast.walk(tree) if isinstance(node, documented)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else ""
        if isinstance(text, str) and " " in text.strip():
            yield node.lineno, text
