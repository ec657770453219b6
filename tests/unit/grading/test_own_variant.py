"""Line own-variant tells a student's own token and port from values that only hold them."""

import importlib.util

import pytest

import labkit

CHECK = importlib.util.spec_from_file_location(
    "check_own_variant", f"{labkit.__path__[0]}/../grader/checks/check_own_variant.py"
)


@pytest.mark.parametrize(
    ("script", "own"),
    [
        ("export LAB_TOKEN=12d0e4\n", True),
        ("export LAB_TOKEN='12d0e4'\nLAB_TOKEN=$LAB_TOKEN\n# LAB_TOKEN=another one\n", True),
        ("printf 'LAB_TOKEN=%s' 12d0e4\n", True),
        ("export LAB_TOKEN=12d0e4x\n", False),
        ("export LAB_TOKEN=012d0e4\n", False),
        ("export LAB_TOKEN=777 # 12d0e4\n", False),
        ("LAB_TOKEN=12d0e4\nLAB_TOKEN=777\n", False),
        ("echo hello\n", False),
    ],
)
def test_a_token_that_holds_ones_own_is_not_ones_own(script: str, own: bool) -> None:
    assert CHECK is not None
    assert CHECK.loader is not None
    check = importlib.util.module_from_spec(CHECK)
    CHECK.loader.exec_module(check)
    assert check._gives(script, "LAB_TOKEN", "12d0e4") is own
