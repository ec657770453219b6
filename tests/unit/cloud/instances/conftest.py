"""Fixtures of the tests about instances."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _machines() -> ModuleType:
    path = Path(__file__).with_name("machines.py")
    spec = importlib.util.spec_from_file_location("instance_machines", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine() -> object:
    """A machine without processes and without time."""
    return _machines().FakeMachine()
