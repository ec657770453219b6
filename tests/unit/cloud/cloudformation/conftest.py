"""One cloud for all tests of CloudFormation; each starts without any state."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("cloudformation_door", Path(__file__).with_name("door.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def door() -> Any:
    """The module with the lab's template and its constants."""
    return _load()


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
