"""What comes from student code is data of exact types, and is never run."""

import ast
from pathlib import Path

import pytest

import labkit.grading
from labkit.grading.probes.function import read

_EVALUATING = {"eval", "exec", "compile", "__import__"}
_UNPICKLING = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "jsonpickle"}


@pytest.mark.parametrize(
    "payload",
    [
        b'{"statusCode": "200", "body": "{}"}', b'{"statusCode": true, "body": "{}"}', b"200",
        b'{"statusCode": 200.0, "body": "{}"}', b'{"statusCode": 200, "body": {"message": "ok"}}',
        b'{"statusCode": 200, "body": "[200]"}', b'{"statusCode": [200], "body": "{}"}', b"", b"\xff\xfe",
        b'{"statusCode": 200}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_types_are_exact(payload: bytes) -> None:
    answer = read(payload, {"ResponseMetadata": {}}, 0.1)
    assert answer.problem
    assert answer.body == {}


def test_a_well_formed_answer() -> None:
    answer = read(b'{"statusCode": 400, "body": "{\\"error\\": \\"no\\"}"}', {"ResponseMetadata": {}}, 0.1)
    assert (answer.status, answer.body, answer.problem) == (400, {"error": "no"}, "")


@pytest.mark.parametrize(
    "path", sorted(Path(labkit.grading.__file__).parent.rglob("*.py")), ids=lambda p: p.name
)
def test_nothing_of_the_grader_unpickles_or_evaluates(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name.split(".")[0] for alias in node.names} | {
                (getattr(node, "module", "") or "").split(".")[0]
            }
            assert not names & _UNPICKLING
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in _EVALUATING
