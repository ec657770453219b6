"""Choosing a tier: the best that opens, with the reason why no better one did."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from labkit.base.errors import SandboxUnavailable, UsageError
from labkit.sandbox.tiers import TIERS, open_best, suffices


class Host:
    """Stands for a host of one tier."""

    separates_users = False


def machine(*available: str) -> Callable[[str, Sequence[str]], Any]:
    """A machine that gives these tiers alone."""

    def opener(tier: str, preload: Sequence[str]) -> Any:
        if tier not in available:
            raise SandboxUnavailable(f"no {tier}: EPERM", hint=f"allow {tier}")
        return Host()

    return opener


@pytest.mark.parametrize("best", range(len(TIERS)))
def test_the_best_tier_that_opens_is_taken_and_says_why_no_better_one_is(best: int) -> None:
    choice = open_best(opener=machine(*TIERS[best:])).choice
    assert choice.tier == TIERS[best]
    assert (choice.reason, choice.fix) == (("no namespaces: EPERM", "allow namespaces") if best else ("", ""))
    assert bool(choice.exposed) == bool(best)
    assert choice.banner() == "" or choice.tier in choice.banner()


def test_what_the_environment_asks_for_is_taken_though_a_better_one_opens() -> None:
    choice = open_best(wanted="posix", opener=machine(*TIERS)).choice
    assert choice.tier == "posix"
    assert "LAB_TIER" in choice.reason
    assert "accidents" in choice.exposed


def test_portable_is_the_best_without_namespaces() -> None:
    assert open_best(wanted="portable", opener=machine(*TIERS)).choice.tier == "landlock"
    assert open_best(wanted="portable", opener=machine("posix")).choice.tier == "posix"


def test_less_than_required_is_refused_with_the_best_tier_s_fix() -> None:
    with pytest.raises(SandboxUnavailable) as refusal:
        open_best(required="namespaces", opener=machine("landlock", "posix"))
    assert refusal.value.hint == "allow namespaces"


@pytest.mark.parametrize(("wanted", "required"), [("posix", "landlock"), ("nothing", ""), ("", "nothing")])
def test_what_can_never_be_is_the_callers_mistake(wanted: str, required: str) -> None:
    with pytest.raises(UsageError):
        open_best(wanted=wanted, required=required, opener=machine(*TIERS))


def test_a_tier_suffices_for_itself_and_for_less() -> None:
    for better in range(len(TIERS)):
        for worse in range(len(TIERS)):
            assert suffices(TIERS[better], TIERS[worse]) == (better <= worse)
