"""The generator of random networks, and a small network to start from."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def worlds() -> ModuleType:
    """The module worlds.py beside this file."""
    spec = importlib.util.spec_from_file_location("worlds", Path(__file__).with_name("worlds.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
