"""Properties of resources against AWS's schemas, and against what the local cloud emulates.

What belongs here: finding what is wrong with a property before anything is made, with its line; and
giving values the schema's types. What does not: references (references), AWS's answers (handlers).
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.templates.errors import at, invalid, names, not_emulated
from labkit.aws.templates.references import function_of
from labkit.aws.templates.shapes import Shape, shape_of
from labkit.aws.templates.source import Path
from labkit.aws.templates.template import ResourceDeclaration, Template
from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.resources.base import Handler

_BOOLEANS = {"true": True, "false": False}
_TYPE_NAMES = {
    "integer": "Integer",
    "number": "Number",
    "boolean": "Boolean",
    "object": "JSONObject",
    "array": "JSONArray",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a resource's properties, and where."""

    message: str
    path: Path


def check(template: Template, region: str, handlers: Mapping[str, Handler]) -> None:
    """Refuse types and properties that do not exist, are of the wrong type, or are not emulated.

    Raises one ApiError(ValidationError) that names every resource with a problem, with lines. AWS
    reports the property errors as the resource's failed event; here they stop the call, so that
    nothing is made from a template that cannot work.
    """
    _check_types(template, region, handlers)
    found: list[str] = []
    for declaration in template.resources.values():
        problems = list(_problems(declaration, region, handlers[declaration.kind], template))
        if problems:
            lines = [f"{item.message}{at(template.source.line(item.path))}" for item in problems]
            found.append(
                f"Properties validation failed for resource {declaration.logical_id} with message:\n"
                + "\n".join(lines)
            )
    if found:
        raise invalid("\n".join(found))


def _check_types(template: Template, region: str, handlers: Mapping[str, Handler]) -> None:
    declared = template.resources.values()
    unknown = [item for item in declared if not schema.known(item.kind, region)]
    if unknown:
        type_names = names(dict.fromkeys(item.type_name for item in unknown))
        near = difflib.get_close_matches(unknown[0].type_name, handlers, n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        line = template.line(*unknown[0].path, "Type")
        raise invalid(f"Template format error: Unrecognized resource types: {type_names}{hint}", line)
    for item in declared:
        if item.kind not in handlers:
            what = f"The resource type {item.type_name} of resource {item.logical_id}"
            raise not_emulated(what, template.line(*item.path, "Type"))


def _problems(
    declaration: ResourceDeclaration, region: str, handler: Handler, template: Template
) -> Iterator[Problem]:
    document = schema.load(declaration.kind, region).document
    path = (*declaration.path, "Properties")
    against = list(_Checker(document, template).value(declaration.properties, document, path, "#"))
    yield from against
    unknown = {problem.path for problem in against}  # what AWS does not have can't be lacking here
    read_only = schema.load(declaration.kind, region).read_only
    for name, value in declaration.properties.items():
        if name in read_only:
            yield Problem(f"#: read-only key [{name}] is not permitted", (*path, name))
        elif name in document["properties"] and name not in handler.emulated:
            yield Problem(_refusal(name, declaration), (*path, name))
        elif name in handler.inside:
            inside = _inside(declaration, name, value, handler.inside, (*path, name))
            yield from (problem for problem in inside if problem.path not in unknown)


def resolved_problems(
    declaration: ResourceDeclaration, properties: Mapping[str, Any], region: str
) -> list[str]:
    """What the schema has against `properties`, when every function in them has been evaluated."""
    document = schema.load(declaration.kind, region).document
    path = (*declaration.path, "Properties")
    return [problem.message for problem in _Checker(document).value(properties, document, path, "#")]


def _refusal(name: str, declaration: ResourceDeclaration) -> str:
    return f"property {name} of type {declaration.type_name} is not emulated by the local cloud"


def _inside(
    declaration: ResourceDeclaration, name: str, value: Any, inside: Mapping[str, frozenset[str]], path: Path
) -> Iterator[Problem]:
    """The members of the property `name` ("A.B" below "A") that are not in inside[name]."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(declaration, name, item, inside, (*path, index))
    elif isinstance(value, dict) and function_of(value) is None:
        for key, member in value.items():
            if key not in inside[name]:
                yield Problem(_refusal(f"{name}.{key}", declaration), (*path, key))
            elif f"{name}.{key}" in inside:
                yield from _inside(declaration, f"{name}.{key}", member, inside, (*path, key))


class _Checker:
    """Walks a value and its schema together; functions stand for any value of the shape that they give.

    Without a template there are no functions left.
    """

    def __init__(self, document: Mapping[str, Any], template: Template | None = None) -> None:
        self._definitions, self._template = document.get("definitions", {}), template

    def value(self, value: Any, rule: Mapping[str, Any], path: Path, where: str) -> Iterator[Problem]:
        rule = resolved_rule(rule, self._definitions)
        function = function_of(value)
        if function == "Fn::If" and isinstance(value[function], list):
            for index, branch in enumerate(value[function][1:], 1):
                yield from self.value(branch, rule, (*path, function, index), where)
        elif function is None:
            yield from self._data(value, rule, path, where)
        elif self._template is not None:
            yield from _shape_problems(shape_of(value, self._template), rule, path, where)

    def _data(self, value: Any, rule: Mapping[str, Any], path: Path, where: str) -> Iterator[Problem]:
        types = _types(rule)
        if types and not any(_fits(value, type_name) for type_name in types):
            expected = " or ".join(_TYPE_NAMES.get(name, "String") for name in types)
            yield Problem(f"{where}: expected type: {expected}, found: {_found(value)}", path)
        elif isinstance(value, dict):
            yield from self._object(value, rule, path, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.value(item, rule.get("items", {}), (*path, index), f"{where}/{index}")
        else:
            yield from _scalar_problems(value, rule, path, where)

    def _object(
        self, value: Mapping[str, Any], rule: Mapping[str, Any], path: Path, where: str
    ) -> Iterator[Problem]:
        declared = rule.get("properties", {})
        for key in rule.get("required") or []:
            if key not in value:
                yield Problem(f"{where}: required key [{key}] not found", path)
        for key, item in value.items():
            if key in declared:
                yield from self.value(item, declared[key], (*path, key), f"{where}/{key}")
            elif rule.get("additionalProperties") is False and not rule.get("patternProperties"):
                hint = _did_you_mean(key, declared)
                yield Problem(f"{where}: extraneous key [{key}] is not permitted{hint}", (*path, key))


def _shape_problems(shape: Shape, rule: Mapping[str, Any], path: Path, where: str) -> Iterator[Problem]:
    """A text where only lists or objects fit, or a list where none does."""
    types = _types(rule)
    fits = "array" in types if shape == "array" else any(name not in ("array", "object") for name in types)
    if shape and types and not fits:
        expected = " or ".join(_TYPE_NAMES.get(name, "String") for name in types)
        yield Problem(
            f"{where}: expected type: {expected}, found: {'JSONArray' if shape == 'array' else 'String'}",
            path,
        )


def _did_you_mean(key: str, declared: Collection[str]) -> str:
    """The properties that `key` is a part of (Port: FromPort, ToPort), else the one most like it; "" for none."""
    around = [name for name in sorted(declared) if len(key) > 3 and name.endswith(key)]
    near = around[:3] or difflib.get_close_matches(key, declared, n=1)
    return f". Did you mean {' or '.join(near)}?" if near else ""


def resolved_rule(rule: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """`rule` with its $ref followed."""
    while "$ref" in rule:
        rule = definitions[rule["$ref"].removeprefix("#/definitions/")]
    return rule


def _types(rule: Mapping[str, Any]) -> list[str]:
    types = rule.get("type", [])
    return types if isinstance(types, list) else [types]


def _fits(value: Any, type_name: str) -> bool:
    if type_name in ("object", "array"):
        return isinstance(value, dict if type_name == "object" else list)
    if value is None or isinstance(value, (dict, list)):
        return False
    return type_name == "string" or _converted(value, type_name) is not None


def _converted(value: Any, type_name: str) -> Any:
    """`value` as the scalar type, or None when it is not one. CloudFormation takes "80" for 80."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if type_name == "boolean":
        return _BOOLEANS.get(text.lower())
    if type_name == "string":
        return text
    if isinstance(value, bool):
        return None
    try:
        return int(text) if type_name == "integer" else float(text)
    except ValueError:
        return None


def _found(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "JSONObject" if isinstance(value, dict) else "JSONArray"
    return (
        "Null"
        if value is None
        else {bool: "Boolean", int: "Integer", float: "Number"}.get(type(value), "String")
    )


def _scalar_problems(value: Any, rule: Mapping[str, Any], path: Path, where: str) -> Iterator[Problem]:
    if "enum" in rule and str(value) not in {str(item) for item in rule["enum"]} and not _dynamic(value):
        allowed = names(str(item) for item in rule["enum"])
        yield Problem(f"{where}: {value} is not a valid enum value, must be one of {allowed}", path)
    number = _converted(value, "number")
    if number is None or not {"integer", "number"} & set(_types(rule)):
        return
    if "minimum" in rule and number < rule["minimum"]:
        yield Problem(f"{where}: {value} is not greater or equal to {rule['minimum']}", path)
    if "maximum" in rule and number > rule["maximum"]:
        yield Problem(f"{where}: {value} is not less or equal to {rule['maximum']}", path)


def _dynamic(value: Any) -> bool:
    return isinstance(value, str) and "{{resolve:" in value


def typed(value: Any, rule: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """`value` with its scalars turned into the schema's types: "60" to 60 where an integer is due."""
    rule = resolved_rule(rule, definitions)
    if isinstance(value, dict):
        inner = rule.get("properties", {})
        return {key: typed(item, inner.get(key, {}), definitions) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, rule.get("items", {}), definitions) for item in value]
    types = _types(rule)
    if len(types) != 1 or types[0] in ("object", "array") or not isinstance(value, (str, int, float)):
        return value
    converted = _converted(value, types[0])
    return value if converted is None else converted
