"""The checklist of behaviours and the tests are one and the same."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parent
AT_LEAST = 100
#: how a docstring names the service and the document that describe what is tested
DOCUMENT = re.compile(
    r"(AWS )?(Lambda|VPC|EC2|CloudFormation|S3|IAM|STS|DynamoDB|CloudWatch Logs|Systems Manager|General Reference|"
    r"Service authorization reference|API references|boto3 guide|cloud-init documentation|systemd\.exec|systemctl)\b"
)


def _tests() -> Iterator[tuple[str, str, str]]:
    """(area, name, docstring) of every test in this folder but those here."""
    for path in sorted(FOLDER.glob("test_*.py")):
        if path != Path(__file__):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    yield path.stem.removeprefix("test_"), node.name, ast.get_docstring(node) or ""


def _listed() -> Mapping[tuple[str, str], str]:
    """(area, test) → behaviour."""
    areas = tomllib.loads((FOLDER / "behaviours.toml").read_text())["behaviours"]
    return {(area, test): words for area, rows in areas.items() for words, test in rows.items()}


def _of_the_kit() -> set[tuple[str, str]]:
    entries = tomllib.loads((FOLDER / "behaviours.toml").read_text())["kit"]["tests"]
    parted = (entry.split("::") for entry in entries)
    return {(stem.removeprefix("test_"), name) for stem, name in parted}


def test_every_behaviour_has_its_test_and_every_test_its_behaviour() -> None:
    tests = {(area, name) for area, name, _ in _tests()}
    assert tests == _listed().keys() | _of_the_kit()
    assert not _listed().keys() & _of_the_kit()
    assert len(_listed()) >= AT_LEAST


def test_every_behaviour_names_its_service_and_document() -> None:
    listed = _listed()
    unnamed = [name for area, name, text in _tests() if (area, name) in listed and not DOCUMENT.match(text)]
    assert unnamed == []
