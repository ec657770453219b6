"""Each kind of match, with real packets: what a rule says is what the kernel does."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labkit.sandbox.host import SandboxHost
from labkit.sandbox.kernel import nftables

_numbers = itertools.count()
CALLER, SERVER, PORT = "10.0.1.5", "10.0.1.6", 80
Passes = Callable[..., bool]
_ANSWERS: nftables.Rule = {"established": True, "verdict": "accept"}


@pytest.fixture(scope="module")
def pair(host: SandboxHost) -> Iterator[tuple[str, str]]:
    """A router and the name of a caller on it; a server listens at SERVER."""
    router, caller, server = (f"nftables{next(_numbers)}" for _ in range(3))
    host.network("open_router", router=router)
    place = {"router": router, "prefix_length": 24, "gateway": "10.0.1.1"}
    host.network("attach", name=caller, address=CALLER, **place)
    (listener,) = host.network("attach", name=server, address=SERVER, listen=[["0.0.0.0", PORT]], **place)
    with listener:
        yield router, caller
    host.network("close_router", router=router)


@pytest.fixture
def passes(host: SandboxHost, pair: tuple[str, str]) -> Passes:
    """`passes(rule, sets)`: whether a connection stands when this rule alone accepts."""
    router, caller = pair

    def connect(rule: dict[str, Any], **sets: list[str]) -> bool:
        rules = [_ANSWERS, {"verdict": "accept", **rule}]
        chain = {"name": "all", "priority": 0, "policy": "drop", "rules": rules}
        host.network("set_rules", router=router, rules={"sets": sets, "chains": [chain]})
        (made,) = host.network("socket", name=caller)
        with made, contextlib.suppress(TimeoutError):
            made.settimeout(0.2)
            made.connect((SERVER, PORT))
            return True
        return False

    return connect


@pytest.mark.processes
@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"source": "10.0.1.0/24"},
        {"source": "10.0.1.4/30"},
        {"source": f"{CALLER}/32", "destination": f"{SERVER}/32"},
        {"source": "@members"},
        {"protocol": 6},
        {"protocol": 6, "ports": [PORT, PORT]},
        {"protocol": 6, "ports": [1, 65535]},
        {"came_from": "vpc", "goes_to": "vpc"},
    ],
    ids=str,
)
def test_a_rule_that_matches_lets_pass(passes: Passes, rule: dict[str, Any]) -> None:
    assert passes(rule, members=[CALLER])


@pytest.mark.parametrize(
    "rule",
    [
        {"verdict": "drop"},
        {"source": "10.0.1.6/31"},
        {"destination": f"{CALLER}/32"},
        {"destination": "@members"},
        {"protocol": 17},
        {"protocol": 6, "ports": [PORT + 1, 65535]},
        {"protocol": 6, "ports": [1, PORT - 1]},
        {"protocol": 1, "icmp_type": 8},
        {"came_from": "internet"},
        {"goes_to": "internet"},
        {"established": True},
    ],
    ids=str,
)
def test_a_rule_that_does_not_match_leaves_the_policy(passes: Passes, rule: dict[str, Any]) -> None:
    assert not passes(rule, members=[CALLER])


def test_large_sets_are_sent_in_pieces() -> None:
    many = [f"10.0.{n // 250}.{n % 250}" for n in range(1200)]
    messages = nftables.change_members({"members": {"add": many}})
    assert len(messages) == 3
    assert max(len(message.body) for message in messages) < 1 << 16


def test_nothing_to_change_is_no_message() -> None:
    assert nftables.change_members({}) == []
    assert nftables.change_members({"members": {"add": [], "remove": []}}) == []
