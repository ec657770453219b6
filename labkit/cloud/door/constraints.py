"""What AWS's own descriptions say that a value must be: checked before anything else looks at the request.

What belongs here: lengths, ranges, patterns, values of an enumeration, members that must be there, in the words that
all services of one make share. What does not: what a service checks besides (labkit.cloud.moto_seam).

AWS: "Common errors" of each service's API reference (ValidationError, ValidationException).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from labkit.cloud.door import inputs
from labkit.cloud.door.inputs import Shape
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused

#: the code by which each service refuses a value that breaks its description
_CODES: Mapping[str, str] = {
    "iam": "ValidationError",
    "sts": "ValidationError",
    "logs": "InvalidParameterException",
    "lambda": "ValidationException",
    "ssm": "ValidationException",
    "kms": "ValidationException",
}
#: services that look closer themselves and say it in words of their own
_OWN_WORDS = {("lambda", "Runtime")}
#: values that the API reference lists and the description does not: (service, member) → them
_LISTED: Mapping[tuple[str, str], tuple[int, ...]] = {
    ("logs", "retentionInDays"): (
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ),
}  # fmt: skip
#: longest value that a pattern is tried on
_TRIED = 4096
_NAMES_OF_IAM = r"[\w+=,.@-]+"


def check(asked: Asked) -> None:
    """Raise Refused, with all that is wrong, where a parameter is not what AWS's description of it says."""
    code = _CODES.get(asked.service)
    if code is None or asked.operation not in inputs.operations(asked.service):
        return
    known, given = inputs.operation(asked.service, asked.operation), inputs.given(asked)
    skipped = {name for service, name in _OWN_WORDS if service == asked.service}
    found = list(_Checks(known.shapes, skipped).structure(known.shape, given, ""))
    for (service, name), values in _LISTED.items():
        if service == asked.service and given.get(name) is not None and given[name] not in values:
            listed = ", ".join(map(str, values))
            found.append(_failed(given[name], name, f"Member must satisfy enum value set: [{listed}]"))
    if found and asked.service == "iam" and len(found) == 1 and found[0].endswith(_NAMES_OF_IAM):
        raise Refused(400, code, _in_words_of_iam(found[0]))
    if found:
        many = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise Refused(400, code, f"{many} detected: {'; '.join(found)}")


def missing(asked: Asked) -> str:
    """The first parameter of an EC2 request that must be there and is not, as it is called there; "" for none."""
    known, given = inputs.operation(asked.service, asked.operation), inputs.given(asked)
    return next((known.wire_name(name) for name in known.required if name not in given), "")


def _in_words_of_iam(found: str) -> str:
    name = found.partition(" at '")[2].partition("'")[0]
    return (
        f"The specified value for {name} is invalid. It must contain only alphanumeric characters and/or the "
        "following: +=,.@_-"
    )


class _Checks:
    """The checks of one request: what is wrong, in AWS's words, one by one."""

    def __init__(self, shapes: Mapping[str, Shape], skipped: set[str]) -> None:
        self._shapes, self._skipped = shapes, skipped
        self._kinds: Mapping[str, Callable[[Shape, object, str], Iterator[str]]] = {
            "structure": self.structure,
            "list": self._list,
            "map": self._map,
            "string": _string,
            "integer": _integer,
            "long": _integer,
        }

    def structure(self, shape: Shape, value: object, path: str) -> Iterator[str]:
        """A structure's members, those that must be there first."""
        if not isinstance(value, Mapping):
            return
        for name in shape.get("required", ()):
            if value.get(name) is None and not _elsewhere(shape["members"][name]):
                yield _failed("null", _below(path, name), "Member must not be null", quoted=False)
        for name, each in shape.get("members", {}).items():
            if value.get(name) is not None and name not in self._skipped:
                yield from self._value(each, value[name], _below(path, name))

    def _value(self, member: Shape, value: object, path: str) -> Iterator[str]:
        shape = self._shapes[member["shape"]]
        check = self._kinds.get(shape["type"])
        if check is not None:
            yield from check(shape, value, path)

    def _list(self, shape: Shape, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            return
        yield from _length(shape, value, path)
        for number, each in enumerate(value, 1):
            yield from self._value(shape["member"], each, f"{path}.{number}.member")

    def _map(self, shape: Shape, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            return
        yield from _length(shape, value, path)
        for key, each in value.items():
            if next(self._value(shape["key"], key, path), ""):
                yield _failed(
                    key,
                    path,
                    f"Map keys must satisfy constraint: [{', '.join(_of_keys(self._shapes[shape['key']['shape']], key, path))}]",
                )
            yield from self._value(shape["value"], each, f"{path}.{key}.member")


def _of_keys(shape: Shape, key: str, path: str) -> Iterator[str]:
    return (found.partition("constraint: ")[2] for found in _string(shape, key, path))


def _elsewhere(member: Shape) -> bool:
    """Whether a member is no part of the input that is read: a header, or the body as it stands."""
    return member.get("location") in ("header", "headers", "statusCode")


def _below(path: str, name: str) -> str:
    own = name[:1].lower() + name[1:]
    return f"{path}.{own}" if path else own


def _failed(value: object, path: str, what: str, *, quoted: bool = True) -> str:
    shown = f"'{value}'" if quoted else f"{value}"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {what}"


def _length(shape: Shape, value: "Mapping[str, object] | list[object] | str", path: str) -> Iterator[str]:
    low, high = shape.get("min"), shape.get("max")
    if low is not None and len(value) < low:
        yield _failed(_shown(value), path, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _failed(_shown(value), path, f"Member must have length less than or equal to {high}")


def _shown(value: object) -> str:
    return str(value).replace("'", "") if isinstance(value, list) else str(value)


def _string(shape: Shape, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        return
    yield from _length(shape, value, path)
    pattern = _compiled(shape["pattern"]) if "pattern" in shape else None
    if pattern is not None and len(value) <= _TRIED and not pattern.fullmatch(value):
        yield _failed(value, path, f"Member must satisfy regular expression pattern: {shape['pattern']}")
    if "enum" in shape and value not in shape["enum"]:
        yield _failed(value, path, f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]")


def _integer(shape: Shape, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        return
    low, high = shape.get("min"), shape.get("max")
    if low is not None and value < low:
        yield _failed(value, path, f"Member must have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _failed(value, path, f"Member must have value less than or equal to {high}")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """AWS's pattern where Python reads it as Java does; None for those with Java's own classes."""
    if r"\p{" in pattern or "&&" in pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None
