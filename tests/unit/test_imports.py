"""Imports go one way: the table of docs/architecture.md, enforced."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

ROOT = Path(labkit.__file__).parent
SMALL = {"errors", "events", "state", "processes", "text", "wsl", "origins", "leash"}
CONTENT = {"manifest", "markers", "variant", "rendering", "workspace", "build"}

#: part → parts it may import besides itself
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(SMALL, SMALL),
    **dict.fromkeys(CONTENT, SMALL | CONTENT),
    "targets": SMALL,
    "deploy": SMALL | {"targets"},
    "sandbox": {"errors"},
    "cloud": SMALL | {"sandbox", "targets"},
    "grading": SMALL
    | CONTENT
    | {"targets", "deploy", "cloud.lifecycle", "cloud.addresses", "cloud.image_requests"}
    | {"cloud.accounts", "cloud.server", "cloud.preloaded", "sandbox"},
    "lesson": SMALL
    | CONTENT
    | {"targets", "deploy", "cloud.lifecycle", "cloud.iam.matching", "grading", "classroom"},
    "classroom": SMALL | CONTENT | {"grading", "lesson"},
    "console": SMALL,
    "terminal": set(),
    "step_options": set(),
    "aws_cli": SMALL,
    "study": SMALL
    | CONTENT
    | {"classroom", "targets", "lesson", "console", "terminal", "aws_cli", "cloud.lifecycle"},
    "grade_command": SMALL | CONTENT | {"classroom", "grading", "lesson", "console"},
    "cloud_commands": SMALL | {"console", "lesson", "targets", "deploy", "cloud.descriptions", "cloud.trace"},
    "dev": SMALL | CONTENT | {"grading", "console", "lesson"},
    "engines": SMALL | CONTENT | {"targets", "deploy", "lesson", "console", "cloud.lifecycle"},
    "cli": SMALL
    | CONTENT
    | {
        "targets",
        "deploy",
        "lesson",
        "console",
        "engines",
        "step_options",
        "study",
        "grade_command",
        "cloud_commands",
        "dev",
        "cloud.accounts",
        "cloud.lifecycle",
    },
    "__main__": {"cli"},
    "__init__": set(),
}


def modules() -> list[Path]:
    """All modules but the programs that instances carry (labkit/cloud/instances/files)."""
    return [p for p in sorted(ROOT.rglob("*.py")) if "files" not in p.relative_to(ROOT).parts]


def imported(path: Path) -> Iterator[str]:
    """Dotted names below labkit that the module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("labkit."):
            yield node.module.removeprefix("labkit.")
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("labkit.") for a in node.names if a.name.startswith("labkit."))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_module_imports_only_what_its_part_may(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imported(path):
        other = name.split(".")[0]
        allowed = ALLOWED[part] | {part}
        assert other in allowed or any(name == a or name.startswith(a + ".") for a in allowed), (
            f"{path.relative_to(ROOT)} imports labkit.{name}"
        )


def test_only_the_command_line_prints() -> None:
    for path in modules():
        if path.name in ("console.py", "cli.py"):
            continue
        names = {n.func.id for n in ast.walk(ast.parse(path.read_text()))
                 if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}  # fmt: skip
        assert "print" not in names, f"{path.relative_to(ROOT)} prints"
