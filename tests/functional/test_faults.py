"""`./lab cloud break NAME` and `mend`: what a client sees of each fault, and that nothing of it stays."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.base.events import ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.lesson.context import Context
from labkit.lesson.faults import faults
from labkit.lesson.measuring.pictures import collect
from labkit.lesson.model import Options, Places
from labkit.lesson.path.invoking import Answer, invoke

ROOT = Path(labkit.__file__).resolve().parent.parent
pytestmark = pytest.mark.slow

#: fault → what health and an image then get: (status, words) each
SEEN: dict[str, tuple[tuple[int, str], tuple[int, str]]] = {
    "rule-revoked": ((504, "time"), (504, "time")),
    "route-gone": ((200, ""), (400, "download")),
    "answers-denied": ((200, ""), (400, "download")),
    "no-concurrency": ((0, "TooManyRequestsException"), (0, "TooManyRequestsException")),
    "service-stopped": ((504, "refused"), (504, "refused")),
    "not-enabled": ((504, "refused"), (504, "refused")),
    "table-renamed": ((200, ""), (500, "AccessDenied")),
    "explicit-deny": ((200, ""), (500, "explicit deny")),
    "key-type": ((200, ""), (500, "ValidationException")),
    "slow-images": ((200, ""), (400, "longer than 20 s|timed out|download failed")),
}
#: those that every run tries; `make verify` tries all
USUAL = ("explicit-deny",)
Try = Callable[[], tuple[Answer, Answer]]


@pytest.fixture(scope="module")
def attempt(deployed_solution: Any) -> Try:
    """Asks for health and for one image through the whole path."""
    places = Places(ROOT, deployed_solution.base)
    manifest = load(ROOT)
    cloud = LocalCloud(places.state / "cloud")
    context = Context(places, manifest, Options("ada@uni.edu", solution=True), ignore, cloud)
    function = context.deployed().outputs["LambdaFunctionName"]
    data = collect([str(manifest.images[-1])])[0].data

    def through() -> tuple[Answer, Answer]:
        image = {"image_url": cloud.publish("good.gif", data)}
        return invoke(context.clients, function, {"action": "health"}), invoke(
            context.clients, function, image
        )

    return through


def test_the_table_has_all_ten() -> None:
    assert list(SEEN) == [fault.name for fault in faults.ALL]
    assert len(SEEN) == 10


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in USUAL else pytest.mark.verify) for n in SEEN]
)
def test_a_fault_shows_and_mend_takes_it_back(deployed_solution: Any, attempt: Try, name: str) -> None:
    broken = deployed_solution.run("cloud", "break", name, "--json")
    assert (broken.status, broken.result) == (0, {"broken": [name]}), broken
    try:
        for answer, (status, words) in zip(attempt(), SEEN[name], strict=True):
            assert (answer.status, bool(re.search(words, answer.message, re.IGNORECASE))) == (status, True), (
                answer
            )
        again = deployed_solution.run("cloud", "break", name)
        assert again.status == 2, "a fault is made once"
    finally:
        mended = deployed_solution.run("cloud", "mend", "--json")
    assert (mended.status, mended.result) == (0, {"broken": []}), mended
    assert [answer.status for answer in attempt()] == [200, 200]


def test_wrong_names_are_refused_and_change_nothing(deployed_solution: Any) -> None:
    for words in (("break", "no-such-fault"), ("break",), ("mend", "key-type")):
        refused = deployed_solution.run("cloud", *words)
        assert refused.status == 2, refused
        assert "→" in refused.output
    assert deployed_solution.run("cloud", "mend", "--json").result == {"broken": []}
