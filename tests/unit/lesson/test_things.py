"""What a word names in the local cloud."""

from types import SimpleNamespace
from typing import Any

import pytest

from labkit.base.errors import UsageError
from labkit.lesson.path.things import Thing, find

RUNNING = {"instances": [{"id": "i-0abc", "state": "stopped"}], "functions": []}


def context() -> Any:
    cloud = SimpleNamespace(ask=lambda method, path: RUNNING)
    return SimpleNamespace(cloud=cloud, region="ap-south-1", on_aws=False)


def test_an_id_is_found_in_any_region() -> None:
    assert find(context(), "i-0abc") == Thing("instance", "i-0abc", "stopped")


def test_what_is_not_there_is_told_with_where_to_look() -> None:
    with pytest.raises(UsageError, match="no instance is called i-0123") as refused:
        find(context(), "i-0123", kinds=("instance",))
    assert "./lab cloud status" in refused.value.hint
