"""One moto server for the tests of its corrections."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _helper(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


HELPER = _helper("moto_server", Path(__file__).parents[1] / "unit/cloud/moto_seam/moto_server.py")
LIVE = _helper("aws_live", Path(__file__).with_name("live.py"))


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


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A whole local cloud, shared by the run: see live.Live."""
    with LIVE.open_live(tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture(scope="session")
def aids() -> ModuleType:
    """What goes with `live`: policy, zipped, refused, eventually."""
    return LIVE
