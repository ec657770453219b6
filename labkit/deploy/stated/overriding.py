"""A Terraform plan in which nothing is left open: Terraform is told what ids AWS will give.

What belongs here: the test file that tells it, and getting the plan out. What does not: reading a plan.

Terraform: "Tests", mock data, `override_resource` with `override_during = plan` (since 1.11). The resources that
others refer to get their values from us, all others are planned by the provider as always. Nothing is created.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.base.errors import DeployError
from labkit.deploy.stated import terraform as stated
from labkit.deploy.stated.parts import Place
from labkit.deploy.terraform import Terraform

_FILE = "stated.tftest.hcl"


def plans(engine: Terraform, place: Place) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The plain plan, and the one that was told the ids. Raises DeployError when either can't be made."""
    plain = engine.planned()
    with tempfile.TemporaryDirectory(prefix="stated-", dir=engine.source.folder / "build") as folder:
        (Path(folder) / _FILE).write_text(_overrides(plain, place), encoding="utf-8")
        lines = engine.tested(Path(folder))
    told = next((line["test_plan"] for line in lines if line.get("type") == "test_plan"), None)
    if told is None or "resource_changes" not in told:
        errors = [line["diagnostic"] for line in lines if line.get("type") == "diagnostic"]
        first = next((e for e in errors if e["severity"] == "error"), {"summary": "it showed no plan"})
        raise DeployError(
            f"Terraform could not plan with the ids told: {first['summary']}. {first.get('detail', '')}".strip(),
            hint="This takes Terraform 1.11 or newer. Compare what is deployed instead:  ./lab parity",
        )
    return plain, told


def _overrides(plain: Mapping[str, Any], place: Place) -> str:
    blocks = [
        f"override_resource {{\n  target = {address}\n  override_during = plan\n  values = {json.dumps(values)}\n}}\n"
        for address, resource in stated.resources(plain).items()
        if (values := stated.computed(resource, place)) is not None
    ]
    return "".join(blocks) + 'run "stated" {\n  command = plan\n}\n'
