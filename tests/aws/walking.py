"""Every operation of AWS's own descriptions, called with what must be given and with each further parameter in turn.

What belongs here: making the calls, and telling their outcomes apart. What does not: what is expected of them.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import exceptions
from botocore.config import Config

from labkit.aws.services import descriptions

#: botocore's names of the ten services
SERVICES = ("lambda", "ec2", "iam", "sts", "logs", "ssm", "cloudformation", "s3", "dynamodb")
_REFUSED = ("UnsupportedOperation", "NotImplemented")
_NUMBERS = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "timestamp": 0}
_DEEP = 4
#: what a client says of the body that it sends: said wrongly, it waits for the rest itself
_OF_THE_CLIENT = {"ContentLength"}


@dataclass(frozen=True)
class Call:
    """One call; `parameter` is the one given besides what must be, "" for none."""

    service: str
    operation: str
    parameter: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}" + (f" {self.parameter}" if self.parameter else "")


@dataclass(frozen=True)
class Outcome:
    """ "works", "refused" (by name), "error" (AWS's own) or "fault"; `words` is the code and message."""

    kind: str
    words: str = ""


def calls(service: str, known: Mapping[str, Any]) -> Iterator[Call]:
    """The calls of a service. `known` has values of things that exist, by the names of members."""
    model = descriptions().load_service_model(service, "service-2")
    shapes = model["shapes"]
    for name, operation in model["operations"].items():
        shape = shapes[operation["input"]["shape"]] if "input" in operation else {}
        members, required = shape.get("members", {}), shape.get("required", ())
        least = {each: _value(each, members[each]["shape"], shapes, known, _DEEP) for each in required}
        yield Call(service, name, "", least)
        for each in sorted(members.keys() - set(required) - _OF_THE_CLIENT):
            value = _value(each, members[each]["shape"], shapes, known, _DEEP)
            yield Call(service, name, each, {**least, each: value})


def outcome(client: Any, call: Call) -> Outcome:
    """What becomes of a call."""
    try:
        answer = client._make_api_call(call.operation, dict(call.arguments))
        _read(answer)
    except exceptions.ClientError as error:
        return _refusal(error)
    except exceptions.ParamValidationError as error:
        return Outcome("error", str(error))
    except (exceptions.BotoCoreError, ValueError) as error:
        return Outcome("fault", f"{type(error).__name__}: {error}")
    return Outcome("works")


def settings() -> Config:
    """Of clients that send what they are given, and ask once."""
    return Config(
        retries={"max_attempts": 0}, parameter_validation=False, read_timeout=20, inject_host_prefix=False
    )


def _read(answer: Mapping[str, Any]) -> None:
    for value in answer.values():
        if hasattr(value, "read"):
            value.read()


def _refusal(error: exceptions.ClientError) -> Outcome:
    told, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    words = f"{status} {told.get('Code')}: {told.get('Message', '')}"
    if told.get("Code") in _REFUSED and status in (400, 501):
        return Outcome("refused", words)
    is_page = "<html" in words.lower()
    return Outcome("fault" if status >= 500 or is_page else "error", words)


def _value(
    name: str, shape_name: str, shapes: Mapping[str, Any], known: Mapping[str, Any], depth: int
) -> Any:
    shape = shapes[shape_name]
    if name in known and shape["type"] in ("string", "blob", "list", "structure"):
        found = known[name]
        return [found] if shape["type"] == "list" and isinstance(found, str) else found
    kind = shape["type"]
    if kind == "structure":
        members, required = shape["members"], shape.get("required", ())
        wanted = required or list(members)[:1]
        return {} if depth == 0 else {each: _value(each, members[each]["shape"], shapes, known, depth - 1) for each in wanted}  # fmt: skip
    if kind == "list":
        return [] if depth == 0 else [_value(name, shape["member"]["shape"], shapes, known, depth - 1)] * max(1, shape.get("min", 1))  # fmt: skip
    if kind == "map":
        return {} if depth == 0 else {"k": _value("", shape["value"]["shape"], shapes, known, depth - 1)}
    if kind == "string":
        return shape["enum"][0] if "enum" in shape else "x" * max(3, shape.get("min", 3))
    if kind == "blob":
        return base64.b64encode(b"x")
    return max(_NUMBERS[kind], shape.get("min", 0))
