"""Whatever is handed in, a grading ends with a verdict on every line: a submission can't bring about "not judged".

Submissions are the reference solution with mutations drawn by the seed: bytes, lines, keys and values of the
infrastructure, outputs, evidence, names of files. Where one uses what only AWS has, its lines say so.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from labkit.grading.grade import Request, grade
from labkit.grading.model import to_json
from labkit.grading.process.starting import Warm, warm_parent
from labkit.grading.reports import words
from tests.conftest import SEED
from tests.submissions import making

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = making.ROOT
SCHEMA = json.loads((ROOT / "labkit" / "grading" / "result.schema.json").read_text())
TEMPLATE, ADA = "cloudformation-template.yaml", "ada@uni.edu"
CODE = (TEMPLATE, "flask_app.py", "flask_server_startup.sh", "lambda_function.py")
EVIDENCE = ("measurements/measurement.json", "record/break.json")
ODD = (
    "",
    "null",
    "[]",
    "{}",
    "-1",
    "'x'",
    "!Ref Nobody",
    "999999999999999999999",
    "*",
    "\\u00e9" * 40,
    "10.0.0.0/33",
    "vpc-x",
    "No Bucket",
)
NAMES = (
    "build",
    ".terraform",
    "notes\u0301.txt",
    "README",
    "main.tf.bak",
    "x" * 150,
    "con",
    "answers",
    "answers.md.orig",
)

Files = dict[str, bytes]


def _bytes(files: Files, rng: random.Random) -> None:
    name = rng.choice(CODE)
    data = bytearray(files[name])
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.choice([0, 9, 10, 34, 39, 58, 123, 200, 255, rng.randrange(256)])
    files[name] = bytes(data)


def _lines(files: Files, rng: random.Random) -> None:
    name = rng.choice(CODE)
    lines = files[name].split(b"\n")
    place = rng.randrange(len(lines))
    change = rng.choice(["drop", "double", "move", "cut"])
    if change == "drop":
        del lines[place : place + rng.randint(1, 5)]
    elif change == "double":
        lines.insert(place, lines[place])
    elif change == "move":
        lines.insert(rng.randrange(len(lines)), lines.pop(place))
    else:
        del lines[place:]
    files[name] = b"\n".join(lines)


def _values(files: Files, rng: random.Random) -> None:
    """A property of the template gets an odd value, or another name."""
    lines = files[TEMPLATE].decode(errors="replace").split("\n")
    places = [n for n, line in enumerate(lines) if re.match(r" +[A-Z]\w+: \S", line)]
    place = rng.choice(places)
    key, _, _ = lines[place].partition(":")
    lines[place] = f"{key}x: 1" if rng.random() < 0.2 else f"{key}: {rng.choice(ODD)}"
    files[TEMPLATE] = "\n".join(lines).encode()


def _outputs(files: Files, rng: random.Random) -> None:
    text = files[TEMPLATE].decode(errors="replace")
    names = rng.sample(
        ["InstanceId", "BucketName", "LambdaFunctionName", "TableName", "VpcId", "InstancePrivateIp"], 3
    )
    for name in names:
        value = rng.choice(
            [
                "not an instance",
                "No Bucket",
                "no function",
                "t",
                "vpc-x",
                "*",
                "i-0123456789abcdef0",
                "a/b?c#d",
            ]
        )
        text = re.sub(rf"(?m)^(  {name}:\n(?:    .*\n)*?    Value: ).*$", lambda m, v=value: m[1] + v, text)
    files[TEMPLATE] = text.encode()


def _evidence(files: Files, rng: random.Random) -> None:
    for name in EVIDENCE:
        value: Any = json.loads(files[name])
        inner = value
        while isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            key = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
            if not isinstance(inner[key], dict | list) or rng.random() < 0.3:
                inner[key] = rng.choice([None, [], {}, "x", -1, True, [None]])
                break
            inner = inner[key]
        odd = rng.choice(["", "9" * 400, "NaN", '"\\ud800"'])
        text = json.dumps(value)
        files[name] = (text.replace("true", odd, 1) if odd else text).encode()


def _names(files: Files, rng: random.Random) -> None:
    for name in rng.sample(NAMES, 4):
        files[f"{rng.choice(['', 'more/'])}{name}"] = rng.randbytes(rng.randrange(2000))


def _gone(files: Files, rng: random.Random) -> None:
    del files[rng.choice(sorted(files))]


def _another_type(files: Files, rng: random.Random) -> None:
    """A resource that AWS has, and the local cloud perhaps not; or one that nobody has."""
    kind = rng.choice(
        ["AWS::SQS::Queue", "AWS::EC2::VPNGateway", "AWS::No::Such", "AWS::EC2::NetworkAcl", "Custom::Thing"]
    )
    more = f"  MoreOfIt:\n    Type: {kind}\n"
    files[TEMPLATE] = files[TEMPLATE].replace(b"\nResources:\n", b"\nResources:\n" + more.encode(), 1)


MUTATIONS: tuple[Callable[[Files, random.Random], None], ...] = (
    _bytes, _lines, _values, _outputs, _evidence, _names, _gone, _another_type,
)  # fmt: skip
#: always tried: all that can be odd without keeping the lab from standing; `make verify` takes one value, and many drawn
ALWAYS = "outputs, evidence and names"
SAMPLE: dict[str, tuple[Callable[[Files, random.Random], None], ...]] = {
    ALWAYS: (_outputs, _evidence, _names), "a value": (_values,),
}  # fmt: skip


def submission(name: str, folder: Path) -> Path:
    """The submission of this name, written into the folder: drawn by the seed, or one of SAMPLE."""
    rng = random.Random(f"{SEED}/{name}")
    files = {name: text.encode() for name, text in making.files_of(ADA, "solution").items()}
    chosen = SAMPLE.get(name) or [rng.choice(MUTATIONS) for _ in range(rng.randint(1, 3))]
    for mutate in chosen:
        if set(files) >= {*CODE, *EVIDENCE}:
            mutate(files, rng)
    for each, data in files.items():
        path = folder / each
        if not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with warm_parent() as parent:
        yield parent


@pytest.mark.parametrize(
    "name",
    [
        ALWAYS,
        *(pytest.param(name, marks=pytest.mark.verify) for name in SAMPLE if name != ALWAYS),
        *(pytest.param(f"odd {n}", marks=pytest.mark.verify) for n in range(24)),
    ],
)
def test_every_line_has_its_verdict(tmp_path: Path, warm: Warm, name: str) -> None:
    source = submission(name, tmp_path / "source")
    result = grade(Request(ROOT, ADA, source, result=tmp_path / "result.json"), warm=warm)
    jsonschema.validate(to_json(result), SCHEMA)
    assert result.complete
    assert len(result.lines) == 42
    open_lines = {line.id: line.verdict.reason for line in result.not_judged if not line.verdict.lacking}
    assert not open_lines, (result.trouble, open_lines)
    assert words.judged(result) or words.needs_a_person(result)
    assert all(line.verdict.reason for line in result.lines if not line.verdict.passed)
