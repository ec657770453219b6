"""One moto server for the tests of its corrections."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _helper() -> ModuleType:
    path = Path(__file__).with_name("moto_server.py")
    spec = importlib.util.spec_from_file_location("moto_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELPER = _helper()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Any]:
    """Moto on a loopback port, for the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        HELPER.no_outside_settings(patch)
        with HELPER.serving() as moto:
            yield moto


@pytest.fixture
def moto(moto_server: Any) -> Any:
    """`moto.compare(scenario)` answers what plain and what corrected moto do."""
    return moto_server


@pytest.fixture
def aws(moto_server: Any) -> Iterator[Any]:
    """Corrected moto without any state."""
    with moto_server.corrected() as aws:
        yield aws


@pytest.fixture
def refusal() -> Any:
    """`refusal(call, **arguments)` is "Code: message" of AWS's error, or "" when the call succeeds."""
    return HELPER.refusal
