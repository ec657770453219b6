"""Labs that run at once have users of their own: what ends those of one must not end another's."""

from pathlib import Path

import pytest

from labkit.base.errors import SandboxError, SandboxUnavailable
from labkit.sandbox.portable.users import Users


def test_two_labs_have_different_users_and_a_block_is_free_again(tmp_path: Path) -> None:
    first, second = Users.claim(str(tmp_path)), Users.claim(str(tmp_path))
    taken = first.take(), second.take()
    assert len(set(taken)) == 2
    second.close()
    third = Users.claim(str(tmp_path))
    assert third.take() == taken[1]
    first.close()
    third.close()


def test_a_user_is_used_again_only_after_all_others(tmp_path: Path) -> None:
    users = Users.claim(str(tmp_path))
    first = users.take()
    users.give(first)
    others = [users.take() for _ in range(199)]
    assert first not in others
    assert users.take() == first
    with pytest.raises(SandboxError, match="200 sandboxes"):
        users.take()
    users.close()


def test_when_all_blocks_are_taken_it_says_what_to_stop(tmp_path: Path) -> None:
    held = [Users.claim(str(tmp_path)) for _ in range(20)]
    with pytest.raises(SandboxUnavailable, match="20 labs") as refused:
        Users.claim(str(tmp_path))
    assert "cloud stop" in refused.value.hint
    for each in held:
        each.close()
