"""What the local cloud emulates: the rest is refused by name, never taken and ignored.

What belongs here: services, operations, parameters and filters behind which nothing would stand (the table is
emulated.toml). What does not: what AWS itself would refuse (constraints, labkit.cloud.moto_seam).
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from labkit.cloud.door import constraints, inputs
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused

_TABLE = Path(__file__).with_name("emulated.toml")
#: the part of the table that is no service
_PAGES = "pages"
#: engines of the kit's own, which refuse what they lack themselves
KNOW_THEIR_OWN = frozenset({"s3", "dynamodb", "cloudformation"})
#: values that ask for nothing
_NOTHING: tuple[object, ...] = (None, "", [], {}, False)
#: (service, operation, parameter) → the values that stand for something here, where others do not
_ONLY: Mapping[tuple[str, str, str], tuple[object, ...]] = {
    ("ec2", "CreateVpcEndpoint", "VpcEndpointType"): ("Gateway",),
    ("ec2", "RunInstances", "Monitoring"): ({"Enabled": False},),
    # nothing here runs out of credits, so both say the same; Terraform always sends one for t3
    ("ec2", "RunInstances", "CreditSpecification"): ({"CpuCredits": "standard"}, {"CpuCredits": "unlimited"}),
    ("lambda", "CreateFunction", "PackageType"): ("Zip",),
    ("lambda", "CreateFunction", "TracingConfig"): ({"Mode": "PassThrough"},),
    ("lambda", "UpdateFunctionConfiguration", "TracingConfig"): ({"Mode": "PassThrough"},),
}
#: what people look for that is done in another way here
_WAYS_IN: Mapping[str, str] = {
    "StartSession": "The way into an instance is ./lab shell INSTANCE, or ssh in ./lab shell; a port: ./lab forward INSTANCE PORT.",
    "the service ec2-instance-connect": "The way into an instance is ./lab shell INSTANCE, or ssh in ./lab shell, with its key pair.",
}
_DOCUMENTED = re.compile(r"<li>\s*<p>\s*<code>([^<]+)</code>")
_SENT = re.compile(r"Filters?\.\d+\.Name").fullmatch


def check(asked: Asked) -> None:
    """Raise Refused where nothing in this cloud stands behind the request, and for EC2's dry runs."""
    if asked.service not in services():
        raise unknown_service(asked.service)
    if asked.service not in KNOW_THEIR_OWN:
        _check_operation(asked)
    if asked.service == "ec2":
        _check_ec2(asked)


def services() -> frozenset[str]:
    """The services that answer here, by signing name."""
    return KNOW_THEIR_OWN | table().keys()


@cache
def table() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Service → operation → the parameters that stand for something here, by AWS's names."""
    return {
        service: {operation: frozenset(names.split()) for operation, names in operations.items()}
        for service, operations in _written().items()
        if service != _PAGES
    }


@cache
def cut_here() -> Mapping[str, frozenset[str]]:
    """Service → the lists whose pages the door cuts (labkit.cloud.door.pages)."""
    return {service: frozenset(names.split()) for service, names in _written()[_PAGES].items()}


@cache
def _written() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def unknown_service(service: str) -> Refused:
    """The refusal of everything that a service is asked which is not here."""
    return _refused(f"the service {service}")


def _check_operation(asked: Asked) -> None:
    if asked.operation not in inputs.operations(asked.service):
        raise _no_such_operation(asked)
    taken = table()[asked.service].get(asked.operation)
    if taken is None:
        raise _refused(asked.operation)
    for name, value in inputs.given(asked).items():
        only = _ONLY.get((asked.service, asked.operation, name))
        if _asks_for_nothing(value) or (name in taken and (only is None or value in only)):
            continue
        if name in inputs.operation(asked.service, asked.operation).members.values():
            raise _refused(f"{name} of {asked.operation}")


def _asks_for_nothing(value: object) -> bool:
    """Whether a value leaves all as it is without it, as the blocks do that Terraform sends with everything in them off."""
    if isinstance(value, Mapping):
        return all(map(_asks_for_nothing, value.values()))
    return value in _NOTHING


def _no_such_operation(asked: Asked) -> Refused:
    """AWS's own answer to an operation that it does not have ("Common errors")."""
    if asked.wire in ("query", "ec2"):
        message = f"Could not find operation {asked.operation}"
        if asked.wire == "ec2":
            message = f"The action {asked.operation} is not valid for this web service."
        return Refused(400, "InvalidAction", message)
    return Refused(404 if asked.wire == "rest-json" else 400, "UnknownOperationException", "")


def _check_ec2(asked: Asked) -> None:
    given = inputs.given(asked)
    for name in given:
        if name not in inputs.operation("ec2", asked.operation).members.values():
            raise Refused(400, "UnknownParameter", f"The parameter {name} is not recognized")
    if lacking := constraints.missing(asked):
        raise Refused(400, "MissingParameter", f"The request must contain the parameter {lacking}")
    for name, sent in asked.parameters.items():
        if _SENT(name):
            _check_filter(asked, str(sent))
    if given.get("DryRun") is True:
        raise Refused(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def _check_filter(asked: Asked, name: str) -> None:
    known = _filters(asked.operation)
    if (
        known
        and name not in known
        and not (name.startswith("tag:") and ("tag" in known or "tag-key" in known))
    ):
        raise Refused(400, "InvalidParameterValue", f"The filter '{name}' is invalid")


@lru_cache(maxsize=256)
def _filters(operation: str) -> frozenset[str]:
    """The names of filters that EC2's own description of an operation tells."""
    members = inputs.operation("ec2", operation).shape.get("members", {})
    text = str((members.get("Filters") or members.get("Filter") or {}).get("documentation", ""))
    names = {
        name.partition(":")[0] if name.startswith("tag:") else name for name in _DOCUMENTED.findall(text)
    }
    return frozenset(names)


def _refused(what: str) -> Refused:
    words = f"The local cloud does not emulate {what}. {_WAYS_IN.get(what, '')}".rstrip()
    return Refused(400, "UnsupportedOperation", words)
