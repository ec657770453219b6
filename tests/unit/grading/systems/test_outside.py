"""A gap that uses a helper defined outside it is judged without that: the helper is found by the student's own text."""

import pytest

from labkit.course.rubric import given_of
from labkit.grading.systems.outside import helpers


def text(before: str, body: str, after: str = "") -> str:
    return f"{before}\n# >>> gap record\n{body}\n# <<< gap record\n{after}\n"


CASES = {
    "function": ("app.py", text("def write_row(item):\n    pass", "    write_row(item)"), ("write_row",)),
    "function after it": ("app.py", text("", "    write_row(item)", "async def write_row(item):\n    pass"), ("write_row",)),
    "import": ("app.py", text("import decimal as d\nfrom json import dumps", "    d.Decimal(1)\n    dumps({})"), ("d", "dumps")),
    "constant": ("app.py", text("LIMIT = 3", "    range(LIMIT)"), ("LIMIT",)),
    "resource": ("t.yaml", text("Resources:\n  MyPolicy:\n    Type: X", "      PolicyArn: !Ref MyPolicy"), ("MyPolicy",)),
    "terraform": ("main.tf", text('resource "aws_x" "mine" {\n}\nlocals {\n  port = 1\n}', "  a = aws_x.mine.id\n  b = local.port"), ("aws_x.mine", "local.port")),
    "variable": ("main.tf", text('variable "who" {}', "  a = var.who"), ("var.who",)),
    "shell": ("boot.sh", text("MODE=x\nwait_for() {\n:\n}", "wait_for $MODE"), ("MODE", "wait_for")),
    "not used": ("app.py", text("def write_row(item):\n    pass", "    pass"), ()),
    "a name of its own": ("app.py", text("data = 1\nitem = 2\nf = 3", "    data = 3\n    for item in data:\n        pass\n    with open(data) as f:\n        pass"), ()),
    "inside": ("app.py", text("", "    def write_row(item):\n        pass\n    write_row(1)"), ()),
}  # fmt: skip


@pytest.mark.parametrize(("file", "student", "found"), CASES.values(), ids=CASES)
def test_helpers_outside_the_gap_are_named(file: str, student: str, found: tuple[str, ...]) -> None:
    reference = {file: text("", "    pass")}
    assert helpers({file: student}, reference, ("record",)) == found
    assert helpers({file: student}, {file: student}, ("record",)) == ()
    assert helpers({file: student}, reference, ("record", file)) == ()
    assert helpers({file: student}, reference, ("given", "record")) == ()
    assert helpers({file: student}, reference, (given_of(file), "record")) == ()


def test_what_is_not_there_has_no_helpers() -> None:
    assert helpers({}, {"app.py": text("", "")}, ("record",)) == ()
    assert helpers({"app.py": "no markers"}, {"app.py": text("", "")}, ("record",)) == ()
