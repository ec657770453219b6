"""Fixtures of the tests about instances."""

import pytest

from tests.unit.cloud.instances import machines


@pytest.fixture
def machine() -> object:
    """A machine without processes and without time."""
    return machines.FakeMachine()
