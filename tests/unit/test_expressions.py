"""Our own regular expressions over a student's text: none repeats what repeats, and none is made of a student's text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

re_parser = pytest.importorskip("re._parser")  # the standard library's own reader of expressions

ROOT = Path(labkit.__file__).parents[1]
CALLS = {"compile", "match", "fullmatch", "search", "sub", "findall", "finditer", "split"}
#: where an expression is put together, and why what it is made of is not a student's, or can't harm
MADE = {
    "labkit/deploy/planning/policy.py": "rules of ours, written in this file",
    "labkit/deploy/planning/areas.py": "areas of ours",
    "labkit/deploy/troubles.py": "troubles of ours",
    "labkit/grading/judging/naming.py": "words of ours",
    "labkit/grading/judging/clues.py": "failures of ours, written in this file",
    "labkit/lesson/faults/faults.py": "faults of ours",
    "labkit/lesson/handing_in/handout.py": "gaps of ours",
    "labkit/lesson/steps/plan.py": "one for each engine, written in this file",
    "labkit/course/build.py": "an expression of this file",
    "labkit/cloud/door/contexts.py": "names of ours",
    "labkit/cloud/door/routes.py": "botocore's paths, their text escaped",
    "labkit/dev/mutants/configuration.py": "the reference's own text, read with a vocabulary of ours",
    "labkit/grading/intake/hcl.py": "pieces of this file",
    "labkit/grading/intake/refusal.py": "pieces of this file",
    "labkit/lesson/compare/comparison.py": "words of ours",
    "labkit/lesson/path/diagnosis.py": "names of modules that Python could not import: letters, digits, _",
    "labkit/sandbox/portable/inside/translation.py": "pieces of this file; tried in the sandbox's own process",
    "grader/checks/check_own_variant.py": "names of ours, a port, a token",
    "grader/support/evidence.py": "labels of ours",
    "grader/support/user_data.py": "names of ours",
    "labkit/course/written.py": "labels of ours, and pieces of this file",
    "labkit/course/toml_file.py": "keys, escaped",
    "labkit/cloud/functions/runtime/runtime_client.py": "a mark of ours; runs in the function's own process",
    "labkit/cloud/stores/dynamodb/shapes.py": "AWS's own description of the API",
    "labkit/cloud/door/constraints.py": "AWS's own descriptions of its APIs",
    "labkit/cloud/moto_seam/ec2/ec2_words.py": "patterns of this file",
    "labkit/cloud/moto_seam/identity/trust_policies.py": "patterns of this file, and the account's number",
    "labkit/base/redaction.py": "paths of this machine, escaped",
    "labkit/lesson/engine.py": "names of resources in our own manifest",
    "labkit/cloud/instances/system/journal.py": "asked for inside an instance, and tried in its own process",
    "labkit/cloud/instances/files/share/servers/serving.py": "a server's settings, in the instance's own process",
    "labkit/cloud/instances/files/share/servers/httpd/settings.py": "a server's settings, in the instance's own process",
    "labkit/cloud/instances/files/share/cfn/init.py": "a name, escaped; in the instance's own process",
    "labkit/cloud/instances/files/share/packages/catalogue.py": "patterns of this file",
    "grader/checks/check_clean_files.py": "written in this file",
}
#: repetitions inside repetitions that can be read in one way only, and why
ONE_WAY = {
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack|fips))*(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com":
    "each round begins with a hyphen, which no round holds",
    r"\s+|#[^\n]*|(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|([{};])|((?:\\.|\$\{\w+\}|[^\s{};\"'#\\])+)":
    "braces end a name, and only a name holds them",
    r"^(?:\s*(?:>|[-+•](?=\s)|\[[ xX]\]))*\s*": "each round ends with a sign, which no blank is",
    r"[a-z]+(-[a-z]+)*": "each round begins with a hyphen, which no round holds",
}  # fmt: skip


def modules() -> Iterator[Path]:
    for folder in ("labkit", "grader"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def calls(path: Path) -> Iterator[ast.Call]:
    """Calls of Python's own expressions."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "re." in text else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name)) if name in CALLS:
                yield node


def repeats(tree: object, inside: bool = False) -> bool:
    """Whether something without an end repeats inside something without an end."""
    found = False
    for operator, value in tree:  # type: ignore[attr-defined]
        endless = str(operator) in ("MAX_REPEAT", "MIN_REPEAT") and value[1] == re_parser.MAXREPEAT
        if endless and inside:
            return True
        for part in parts(value):
            found = found or repeats(part, inside or endless)
    return found


def parts(value: object) -> Iterator[object]:
    if isinstance(value, re_parser.SubPattern):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts(item)


def problem(place: str, call: ast.Call) -> str:
    pattern = call.args[0]
    if not isinstance(pattern, ast.Constant):
        return "" if place in MADE else "made of what?"
    try:
        tree = re_parser.parse(pattern.value)
    except re.error:
        tree = re_parser.parse(pattern.value, re.VERBOSE)
    return pattern.value if pattern.value not in ONE_WAY and repeats(tree) else ""


@pytest.mark.slow
def test_an_expression_is_written_out_and_goes_back_only_so_far() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {found}"
        for path in modules()
        for call in calls(path)
        if (found := problem(path.relative_to(ROOT).as_posix(), call))
    ]
    assert problems == []


def test_what_repeats_inside_what_repeats_is_found() -> None:
    assert repeats(re_parser.parse(r"(a+)+b"))
    assert repeats(re_parser.parse(r"((?:x|y*)z)*"))
    assert not repeats(re_parser.parse(r"a+b*(c{1,3})*"))
