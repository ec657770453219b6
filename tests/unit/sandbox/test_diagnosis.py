"""From a refusal and the facts of a machine to the reason and the fix."""

import errno

import pytest

from labkit.sandbox.diagnosis import Facts, explain, facts_of_this_machine
from labkit.sandbox.stages import FILES, MOUNTS, NETWORK, OWNER, Refused

PLAIN = {"system": "Linux", "kernel": (6, 8), "is_root": False, "in_container": False}


@pytest.mark.parametrize(
    ("stage", "facts", "reason", "fix"),
    [
        (OWNER, {"max_user_namespaces": 0}, "max_user_namespaces is 0", "user.max_user_namespaces=15000"),
        (OWNER, {"unprivileged_userns_clone": 0}, "for root", "kernel.unprivileged_userns_clone=1"),
        (MOUNTS, {"apparmor_restricts": 1}, "AppArmor", "apparmor_restrict_unprivileged_userns=0"),
        (OWNER, {"in_container": True}, "container", "--security-opt seccomp=unconfined"),
        (MOUNTS, {"in_container": True, "apparmor_restricts": 1, "is_root": True}, "container", "--cap-add"),
        (FILES, {"in_container": True}, "container", "systempaths=unconfined"),
        (NETWORK, {}, NETWORK, "modprobe"),
        (OWNER, {"kernel": (5, 10)}, "Linux 5.10 is too old", "5.14"),
        (OWNER, {"system": "Darwin"}, OWNER, "Linux virtual machine"),
        (FILES, {}, FILES, "unshare --user"),
    ],
)
def test_the_reason_and_the_fix(stage: str, facts: dict[str, object], reason: str, fix: str) -> None:
    refused = Refused(stage, "Operation not permitted", errno.EPERM)
    said, hint = explain(refused, Facts(**{**PLAIN, **facts}))
    assert stage in said
    assert "Operation not permitted" in said
    assert reason in said
    assert fix in hint


def test_the_facts_of_this_machine_can_be_read() -> None:
    facts = facts_of_this_machine()
    assert facts.kernel > (2, 6)
