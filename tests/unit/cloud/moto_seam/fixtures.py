"""Fixtures with moto, plain and corrected, for the folders whose conftest.py imports them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cloud.moto_seam.moto_server import no_outside_settings, refusal, serving


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Any]:
    """Moto on a loopback port, for the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        no_outside_settings(patch)
        with serving() as served:
            yield served


@pytest.fixture
def moto(moto_server: Any) -> Any:
    """`moto.compare(scenario)` answers what plain and what corrected moto do."""
    return moto_server


@pytest.fixture
def aws(moto_server: Any) -> Iterator[Any]:
    """Corrected moto without any state."""
    with moto_server.corrected() as corrected:
        yield corrected


@pytest.fixture(name="refusal")
def _refusal() -> Any:
    """`refusal(call, **arguments)` is "Code: message" of AWS's error, or "" when the call succeeds."""
    return refusal
