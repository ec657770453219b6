"""Every action that AWS knows, and on what it can be allowed.

What belongs here: reading the list that cfn-lint ships (made from AWS's "Service authorization reference"; see
docs/decisions/iam-actions.md). What does not: who may do what (evaluator, analysis).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.aws.iam.matching import expand, matches
from labkit.aws.iam.s3 import ACTIONS, VERSIONED
from labkit.aws.services import descriptions

_FIELD = re.compile(r"\$\{\w+\}")


@dataclass(frozen=True)
class Kind:
    """A kind of resource: its ARNs match `pattern`, and not `never`."""

    pattern: str
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Action:
    """An action ("s3:putobject", lower case) and what it works on; where it knows no resource, that is "*"."""

    name: str
    kinds: tuple[Kind, ...]


#: actions that are called like no operation of the API
_NO_OPERATIONS = {f"s3:{name.lower()}": f"s3:{name}" for name in (*ACTIONS.values(), *VERSIONED.values())}
_NO_OPERATIONS |= {"iam:passrole": "iam:PassRole", "lambda:invokefunction": "lambda:InvokeFunction"}
#: of an action that knows no resource: policies speak of it by a pattern that matches the text "*"
NO_RESOURCE = Kind(expand("${*}", {}) or "")
#: what the list says too widely: a bucket's name has no slash, an object's ARN has one
_S3 = {"bucket": Kind("arn:aws:s3:::?*", ("*/*",)), "object": Kind("arn:aws:s3:::?*/?*")}


def actions(pattern: str) -> Iterator[Action]:
    """The actions that a policy's pattern (lower case) means, in alphabetical order."""
    service = pattern.partition(":")[0]
    everything = pattern == "*"
    for prefix in _services() if everything or {"*", "?"} & set(service) else (service,):
        if prefix not in _services() or not (everything or matches(service, prefix)):
            continue
        yield from (found for found in of_service(prefix) if everything or matches(pattern, found.name))


def known_prefix(prefix: str) -> bool:
    """Whether a service has this prefix in actions and condition keys ("s3")."""
    return prefix in _services()


@cache
def of_service(prefix: str) -> tuple[Action, ...]:
    """All actions of the service with this prefix."""
    about = _services()[prefix]
    kinds = {name: [_kind(arn) for arn in each["ARNFormats"]] for name, each in about["Resources"].items()}
    if prefix == "s3":
        kinds |= {name: [kind] for name, kind in _S3.items()}
    return tuple(
        Action(f"{prefix}:{name}", _kinds(each.get("Resources", ()), kinds))
        for name, each in sorted(about["Actions"].items())
    )


def _kinds(names: Sequence[str], known: Mapping[str, Sequence[Kind]]) -> tuple[Kind, ...]:
    return tuple(dict.fromkeys(kind for name in names for kind in known.get(name, ()))) or (NO_RESOURCE,)


def _kind(arn: str) -> Kind:
    """A format as a kind; what is in a region has one in its ARN."""
    pattern = _FIELD.sub("*", arn.replace("${Partition}", "aws")).replace(".*", "?*")
    service, regional, _ = arn.partition(":${Region}:")
    return Kind(pattern, (_FIELD.sub("aws", service) + "::*",) if regional else ())


@cache
def _services() -> Mapping[str, Any]:
    spec = find_spec("cfnlint")  # finds the package without importing it
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed: run `make setup`")
    path = Path(spec.origin).parent / "data" / "AdditionalSpecs" / "Policies.json"
    found: Mapping[str, Any] = json.loads(path.read_bytes())
    return found


def spelt(action: str) -> str:
    """The action as AWS writes it ("s3:PutObject"); in lower case where nothing here tells."""
    return _NO_OPERATIONS.get(action) or _operations(action.partition(":")[0]).get(action, action)


@cache
def _operations(prefix: str) -> Mapping[str, str]:
    """The operations of a service's API, by their names in lower case; {} where botocore does not know it."""
    loader = descriptions()
    if prefix not in loader.list_available_services("service-2"):
        return {}
    model = loader.load_service_model(prefix, "service-2")
    return {f"{prefix}:{name.lower()}": f"{prefix}:{name}" for name in model["operations"]}
