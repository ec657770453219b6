"""Evidence of any form: every line that reads it comes to a verdict."""

import contextlib
import importlib.util
import json
import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.course import manifest
from labkit.course.variant import make_variant
from labkit.grading.api import Failed
from tests.conftest import SEED
from tests.submissions import making

ROOT = manifest.load(making.ROOT).root
VARIANT = make_variant(manifest.load(ROOT).salt, "ada@uni.edu")
FILES = making.files_of("ada@uni.edu", "solution")
BREAK, MEASUREMENT = "record/break.json", "measurements/measurement.json"
READ_BY = {
    BREAK: ("fault_1", "fault_2"),
    MEASUREMENT: ("benchmark",),
    "answers.md": ("benchmark", "log_reading"),
}
#: as JSON text, some of which no reader of ours should take for a value
ODD = ["null", "true", "0", "-1", "1e308", "1e999", "NaN", "-Infinity", "9" * 400, "9" * 5000, '""', '"x"', '"\\u0000"',
       '"\\ud800"', "[]", "{}", "[[]]", "[null]", '{"a": 1}', "[" * 5000 + "]" * 5000]  # fmt: skip


def _check(name: str) -> Callable[[Any], object]:
    spec = importlib.util.spec_from_file_location(name, ROOT / "grader" / "checks" / f"check_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Callable[[Any], object] = module.check
    return check


CHECKS = {name: _check(name) for names in READ_BY.values() for name in names}


def judged(file: str, text: str) -> None:
    """Every check of the file comes to its end, or says that it does not hold."""
    lab = SimpleNamespace(
        files={**FILES, file: text}, variant=VARIANT, random=random.Random(1), region="eu-west-1",
        engine="cloudformation", line="x",
    )  # fmt: skip
    for name in READ_BY[file]:
        with contextlib.suppress(Failed):
            CHECKS[name](lab)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], odd: str) -> str:
    """The JSON text with this text at the place."""
    mark = "an odd value stands here"
    if not path:
        return odd
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = mark
    return json.dumps(copy).replace(json.dumps(mark), odd)


@pytest.mark.slow
@pytest.mark.parametrize("file", [BREAK, MEASUREMENT])
def test_every_value_of_another_form_is_a_verdict(file: str) -> None:
    value = json.loads(FILES[file])
    every = [(path, odd) for path in _places(value) for odd in ODD]
    for path, odd in random.Random(SEED).sample(every, 250):
        judged(file, _with(value, path, odd))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["requests", "plan", "layers", "hunts", "memo", "name"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.slow
@given(value=_JSON)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_a_verdict(value: Any) -> None:
    for file in (BREAK, MEASUREMENT):
        judged(file, json.dumps(value))


@pytest.mark.slow
@given(text=st.text(max_size=300), number=st.integers(0, 7))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_answers_are_a_verdict(text: str, number: int) -> None:
    lines = FILES["answers.md"].splitlines(keepends=True)
    judged("answers.md", "".join([*lines[: number * 5], text, *lines[number * 5 :]]))
