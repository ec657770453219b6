"""Moto with its corrections, and a whole local cloud."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.aws import live as live_cloud
from tests.aws.stacks import Stack
from tests.unit.cloud.moto_seam.fixtures import _refusal, aws, moto, moto_server  # noqa: F401


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A whole local cloud, shared by the run: see live.Live."""
    with live_cloud.open_live(tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture(scope="session")
def aids() -> ModuleType:
    """What goes with `live`: policy, zipped, refused, eventually."""
    return live_cloud


@pytest.fixture
def stack(live: Any) -> Iterator[Stack]:
    """A stack, which is deleted afterwards."""
    made = Stack(live)
    yield made
    made.delete()
