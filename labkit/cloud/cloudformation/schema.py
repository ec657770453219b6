"""The resource types that CloudFormation knows: AWS's resource schemas, as cfn-lint ships them.

What belongs here: loading one type's schema, lazily, and asking it things. What does not: which
types the local cloud emulates (resources.registry).

The files are read directly: importing cfn-lint costs more than a second, one schema a millisecond.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.aws.templates.template import CUSTOM

#: a region whose list of types stands in for a region that cfn-lint does not list
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class ResourceSchema:
    """One type's schema, as published in the CloudFormation registry.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """

    type_name: str
    document: Mapping[str, Any]

    @property
    def read_only(self) -> frozenset[str]:
        """Attributes that only GetAtt sees, nested ones with dots."""
        return self._paths("readOnlyProperties")

    @property
    def create_only(self) -> frozenset[str]:
        """Properties whose change means replacement, nested ones with dots."""
        return self._paths("createOnlyProperties")

    @property
    def deletes_first(self) -> bool:
        """Whether a replacement deletes the old resource before it makes the new one."""
        return bool(self.document.get("replacementStrategy") == "delete_then_create")

    @property
    def takes_system_tags(self) -> bool:
        """Whether CloudFormation puts its own aws:cloudformation:* tags on it."""
        return bool(self.document.get("tagging", {}).get("cloudFormationSystemTags"))

    def _paths(self, key: str) -> frozenset[str]:
        pointers = self.document.get(key) or []
        return frozenset(pointer.removeprefix("/properties/").replace("/", ".") for pointer in pointers)


def known(type_name: str, region: str) -> bool:
    """Whether CloudFormation has the resource type in `region`."""
    return type_name in _types(region)


def names(region: str) -> Iterable[str]:
    """The types that CloudFormation has in `region`."""
    return _types(region).keys()


@cache
def load(type_name: str, region: str) -> ResourceSchema:
    """The schema of `type_name` in `region`; KeyError when there is none."""
    digest = _types(region)[type_name]
    document = json.loads((_directory() / "resources" / f"{digest}.json").read_bytes())
    if type_name == CUSTOM:
        document["additionalProperties"] = (
            True  # the published schema does not say it: they are the author's own
        )
    return ResourceSchema(type_name, document)


@cache
def _types(region: str) -> Mapping[str, str]:
    path = _directory() / "providers" / f"{region}.json"
    if not path.is_file():
        path = path.with_name(f"{DEFAULT_REGION}.json")
    types: dict[str, str] = json.loads(path.read_bytes())
    return types


@cache
def _directory() -> Path:
    spec = find_spec("cfnlint")  # finds the package without importing it
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed: run `make setup`")
    return Path(spec.origin).parent / "data" / "schemas"
