"""What the files state, in both engines: resources of a kind, and their text.

What belongs here: reading the student's infrastructure files. What does not: what stands (the lab's clients).
"""

import re
from collections.abc import Mapping
from typing import Any

from labkit.grading.api import Lab

_TERRAFORM = re.compile(r'^\s*resource\s+"(\w+)"\s+"(\w+)"\s*\{', re.MULTILINE)
INFRASTRUCTURE = {"cloudformation": ("cloudformation-template.yaml",), "terraform": ("main.tf",)}


def infrastructure(lab: Lab) -> str:
    """The text of the infrastructure files of the engine that deployed this."""
    wanted = INFRASTRUCTURE[lab.engine]
    others = [name for name in lab.files if lab.engine == "terraform" and name.endswith(".tf")]
    return "\n".join(lab.files.get(name, "") for name in sorted({*wanted, *others}))


def kinds(lab: Lab) -> set[str]:
    """The types of all resources that the files declare."""
    if lab.engine == "terraform":
        return {kind for kind, _ in _TERRAFORM.findall(infrastructure(lab))}
    return {each.kind for each in lab.template.values()}


def terraform_blocks(text: str, kind: str) -> list[str]:
    """The bodies of all resources of one type."""
    return [_body(text, match.end()) for match in _TERRAFORM.finditer(text) if match[1] == kind]


def _body(text: str, start: int) -> str:
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place]
    return text[start:]


def properties(lab: Lab, kind: str) -> list[Mapping[str, Any]]:
    """The properties of the resources of a CloudFormation type."""
    return [each.properties for each in lab.declared(kind)]


def is_true(value: object) -> bool:
    """Whether YAML's or CloudFormation's true is meant."""
    return value is True or str(value).lower() == "true"
