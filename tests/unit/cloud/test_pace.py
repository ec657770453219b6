"""What AWS does late: drawn from a seed, divided by a factor, and seen late."""

import re
import threading
from types import SimpleNamespace

import pytest

from labkit.aws.records import PolicyDocument
from labkit.aws.templates.errors import ResourceFailed, Stopped
from labkit.cloud.cloudformation.work import Tools
from labkit.cloud.moto_seam.identity.late import Documents, Seen
from labkit.cloud.pace import AS_AWS, AT_HOME, Pace, parse

ROLE = SimpleNamespace(arn="arn:aws:iam::123456789012:role/r")


def test_at_home_nothing_is_late_and_the_same_seed_draws_the_same() -> None:
    assert parse("") is AT_HOME
    assert parse("3:60") == parse("3:60") != parse("4:60")
    slow, quick = parse("3:1"), parse("3:60")
    for name in ("pending", "role", "policy", "boot", "console", "lines", "interface"):
        assert 0.5 <= getattr(slow, name) / getattr(AS_AWS, name) <= 1.5
        assert getattr(quick, name) == pytest.approx(getattr(slow, name) / 60)
    assert AT_HOME.patience == 0 < quick.patience


def test_policies_are_seen_as_they_were() -> None:
    now, held = [0.0], {"documents": (PolicyDocument("old", {}),)}

    def current(_: object = None) -> Documents:
        return held["documents"]

    pace = Pace(policy=10)
    seen = Seen(pace, lambda: {ROLE.arn: current()}, current, clock=lambda: now[0])
    seen.changed()
    held["documents"] = (PolicyDocument("new", {}),)
    seen.changed()
    assert [each.name for each in seen.of(ROLE)] == ["old"]
    assert pace.counts.found == {"policy not seen yet": 1}
    assert seen.of(SimpleNamespace(arn="arn:of:a:role:made:just:now")) == ()
    now[0] = 10.0
    assert [each.name for each in seen.of(ROLE)] == ["new"]


class _Refusals:
    """A call that is refused so often."""

    def __init__(self, times: int, words: str) -> None:
        self.left, self.words = times, words

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise ResourceFailed(self.words)
        return "made"


def tools(patience: float) -> Tools:
    return Tools(lambda *_: None, lambda *_: None, stop=threading.Event(), patience=patience)


def test_cloudformation_asks_again_for_what_is_late_and_for_nothing_else() -> None:
    late = "The role defined for the function cannot be assumed by Lambda."
    assert tools(60).patiently(_Refusals(1, late)) == "made"
    for patience, words in ((0.0, late), (60.0, "Invalid Handler")):
        with pytest.raises(ResourceFailed, match=re.escape(words)):
            tools(patience).patiently(_Refusals(1, words))
    stopping = tools(60)
    stopping.stop.set()
    with pytest.raises(Stopped):
        stopping.patiently(_Refusals(9, late))
