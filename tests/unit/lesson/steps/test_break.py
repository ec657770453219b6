"""Step 06 before anything is broken: what it needs of the deployment."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from labkit.deploy.model import OUTPUTS, Deployment
from labkit.lesson.context import Context
from labkit.lesson.steps import break_


@pytest.mark.parametrize("removed", ["LambdaFunctionName", "VpcId"])
@pytest.mark.parametrize("extra", [{}, {"attack": "nnnnnnnn"}], ids=["hunt", "attack"])
def test_an_output_that_was_removed_is_named_as_step_03_names_it(removed: str, extra: dict[str, Any]) -> None:
    """The context has nothing but the deployment: nothing is called, nothing is broken."""
    outputs = {name: "x" for name in OUTPUTS if name != removed}
    deployed = Deployment("cloudformation", "lab", "complete", outputs)
    context = SimpleNamespace(deployed=lambda: deployed, options=SimpleNamespace(extra=extra))
    (check,) = break_.run(cast(Context, context)).checks
    assert (check.passed, check.reason) == (False, f"missing: {removed}")
    assert "./lab diff" in check.hint
