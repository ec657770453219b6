"""One cloud for all tests of CloudFormation; each starts without any state."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cloud.cloudformation import door as lab_door


@pytest.fixture(scope="session")
def door() -> Any:
    """The module with the lab's template and its constants."""
    return lab_door


@pytest.fixture(scope="module")
def _cloud(door: Any) -> Iterator[Any]:
    with door.serving() as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Any) -> Iterator[Any]:
    """The cloud, empty."""
    _cloud.reset()
    yield _cloud
    _cloud.reset()
