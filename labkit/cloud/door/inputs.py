"""The input of an operation as AWS describes it, and a request's parameters by the names of that description.

What belongs here: names on the wire, and typed values out of JSON, forms and REST. What does not: whether a value is
allowed (constraints), or emulated (emulated). Source: botocore's descriptions; Smithy, "AWS protocols".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labkit.aws.services import descriptions
from labkit.base.text import whole
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.routes import botocore_name

#: fields of a query protocol that are no parameters
_PROTOCOL = ("Action", "Version", "AWSAccessKeyId", "Timestamp", "SecurityToken")
_SIGNING = ("Signature", "X-Amz-")

Shape = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation's input: its shape, and member by the name that it has on the wire."""

    shape: Shape
    shapes: Mapping[str, Shape]
    members: Mapping[str, str]

    @property
    def required(self) -> tuple[str, ...]:
        """The members that must be given."""
        return tuple(self.shape.get("required", ()))

    def wire_name(self, member: str) -> str:
        """What the member is called in a request."""
        return next(wire for wire, name in self.members.items() if name == member)


@lru_cache(maxsize=32)
def operations(service: str) -> Mapping[str, Mapping[str, Any]]:
    """All operations that AWS's own description of a service (its signing name) has."""
    found: Mapping[str, Mapping[str, Any]] = descriptions().load_service_model(
        botocore_name(service), "service-2"
    )["operations"]
    return found


@lru_cache(maxsize=1024)
def operation(service: str, name: str) -> Operation:
    """The input of one operation. Raises KeyError where AWS has no such operation."""
    model = descriptions().load_service_model(botocore_name(service), "service-2")
    found, shapes = model["operations"][name], model["shapes"]
    shape = shapes[found["input"]["shape"]] if "input" in found else {}
    naming = _ec2_name if model["metadata"]["protocol"] == "ec2" else _plain_name
    members = {naming(member, each): member for member, each in shape.get("members", {}).items()}
    return Operation(shape, shapes, members)


def given(asked: Asked) -> dict[str, object]:
    """The parameters of a request by their members' names, typed as far as the protocol tells; none twice.

    A form's lists and structures are put together again. What AWS does not describe keeps its name.
    """
    known = operation(asked.service, asked.operation)
    if asked.wire in ("query", "ec2"):
        tree = _tree({name: value for name, value in asked.parameters.items() if _is_parameter(name)})
        return {
            known.members.get(name, name): _typed(
                _member(known, known.members.get(name, name)), branch, known.shapes, asked.wire
            )
            for name, branch in tree.items()
        }
    return {
        known.members.get(name, name): _scalar(_kind(known, known.members.get(name, name)), value)
        for name, value in asked.parameters.items()
    }


def _member(known: Operation, name: str) -> Shape:
    found: Shape = known.shape.get("members", {}).get(name, {})
    return found


def _kind(known: Operation, name: str) -> str:
    """The type of a member, for those that a path or a query carries as text."""
    member = _member(known, name)
    return (
        str(known.shapes[member["shape"]]["type"]) if member.get("location") in ("uri", "querystring") else ""
    )


def _is_parameter(name: str) -> bool:
    return name not in _PROTOCOL and not name.startswith(_SIGNING)


def _ec2_name(member: str, each: Shape) -> str:
    name = str(each.get("queryName") or each.get("locationName") or member)
    return name[:1].upper() + name[1:]


def _plain_name(member: str, each: Shape) -> str:
    return str(each.get("locationName") or member)


_Tree = dict[str, Any]


def _tree(fields: Mapping[str, object]) -> _Tree:
    """{"a.1.b": "x"} as {"a": {"1": {"b": "x"}}}."""
    tree: _Tree = {}
    for name, value in fields.items():
        *path, last = name.split(".")
        branch = tree
        for part in path:
            below = branch.get(part)
            if not isinstance(below, dict):
                below = branch[part] = {}
            branch = below
        branch[last] = value
    return tree


def _typed(member: Shape, branch: object, shapes: Mapping[str, Shape], wire: str) -> object:
    """A branch of a form as the value that its shape says; as it stands where that does not fit."""
    shape = shapes.get(member.get("shape", ""), {})
    kind = shape.get("type")
    if not isinstance(branch, dict):
        return _scalar(str(kind), branch)
    if kind == "structure":
        naming = _ec2_name if wire == "ec2" else _plain_name
        names = {naming(name, each): name for name, each in shape["members"].items()}
        return {
            names.get(key, key): _typed(shape["members"].get(names.get(key, key), {}), below, shapes, wire)
            for key, below in branch.items()
        }
    if kind == "list":
        items = branch if wire == "ec2" or shape.get("flattened") else _listed(branch)
        return [
            _typed(shape["member"], below, shapes, wire) for _, below in sorted(items.items(), key=_number)
        ]
    if kind == "map":
        entries = branch.get("entry", branch)
        pairs = entries.values() if isinstance(entries, dict) else ()
        return {
            str(each.get("key")): _typed(shape["value"], each.get("value"), shapes, wire)
            for each in pairs
            if isinstance(each, dict)
        }
    return branch


def _listed(branch: _Tree) -> _Tree:
    found = branch.get("member", branch)
    return found if isinstance(found, dict) else {}


def _number(item: tuple[str, object]) -> tuple[int, str]:
    return whole(item[0], 8) or 0, item[0]


def _scalar(kind: str, text: object) -> object:
    if kind in ("integer", "long") and isinstance(text, str) and (number := whole(text)) is not None:
        return number
    if kind == "boolean" and isinstance(text, str) and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text
