"""What a template's values refer to, whether it exists, and the order that follows.

What belongs here: finding functions in values, dependencies between resources, cycles. What does
not: evaluating anything (intrinsics).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.templates.errors import ApiError, invalid, names
from labkit.aws.templates.source import Path
from labkit.aws.templates.template import Template

FUNCTIONS = frozenset(
    [
        "Fn::And",
        "Fn::Base64",
        "Fn::Cidr",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::GetAtt",
        "Fn::GetAZs",
        "Fn::If",
        "Fn::ImportValue",
        "Fn::Join",
        "Fn::Not",
        "Fn::Or",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
        "Ref",
    ]
)
_REFUSED = frozenset({"Fn::Transform", "Fn::ForEach", "Fn::Length", "Fn::ToJsonString"})
_CONDITION_FUNCTIONS = frozenset({"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals"})
PSEUDO_PARAMETERS = frozenset(
    [
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    ]
)
SUBSTITUTION = re.compile(r"\$\{([^{}]*)\}")

AttributeCheck = Callable[[str, str], str]
"""(type name, attribute) → "" when GetAtt may ask for it, or what is wrong."""


@dataclass(frozen=True)
class Reference:
    """A value's reference: `kind` is Ref, GetAtt, Condition or Mapping."""

    kind: str
    name: str
    attribute: str
    path: Path


def function_of(value: object) -> str | None:
    """The function that `value` is a call of, or None when it is plain data."""
    if isinstance(value, dict) and len(value) == 1:
        key = str(next(iter(value)))
        if key == "Ref" or key.startswith("Fn::"):
            return key
    return None


def find(value: Any, path: Path) -> Iterator[Reference]:
    """Every reference in `value`, which stands at `path`, in the order of the text.

    Raises ApiError for a function that does not exist or is malformed.
    """
    function = function_of(value)
    if function:
        yield from _in_function(function, value[function], (*path, function))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from find(item, (*path, index))


def _in_function(function: str, argument: Any, path: Path) -> Iterator[Reference]:
    if function == "Ref":
        yield Reference("Ref", str(argument), "", path)
    elif function == "Fn::GetAtt":
        yield from _get_att(argument, path)
    elif function == "Fn::Sub":
        yield from _sub(argument, path)
    elif function == "Fn::If" and isinstance(argument, list) and argument:
        yield Reference("Condition", str(argument[0]), "", path)
        yield from find(argument[1:], path)
    elif function == "Fn::FindInMap" and isinstance(argument, list) and argument:
        if isinstance(argument[0], str):
            yield Reference("Mapping", argument[0], "", path)
        yield from find(argument, path)
    elif function in _CONDITION_FUNCTIONS and isinstance(argument, list):
        for index, item in enumerate(argument):
            yield from in_condition(item, (*path, index))
    else:
        _check_known(function, path)
        yield from find(argument, path)


def _check_known(function: str, path: Path) -> None:
    if function not in FUNCTIONS and function not in _REFUSED:
        supported = names(sorted(FUNCTIONS))
        message = (
            f"Template format error: Encountered unsupported function: {function} "
            f"Supported functions are: {supported}"
        )
        raise Misplaced(message, path)
    if function in _REFUSED:
        raise Misplaced(f"The function {function} is not emulated by the local cloud", path)


class Misplaced(Exception):
    """A function that is not right where it stands; `path` says where."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def in_condition(value: Any, path: Path) -> Iterator[Reference]:
    """Like `find`, where `{Condition: name}` names another condition."""
    if isinstance(value, dict) and set(value) == {"Condition"}:
        yield Reference("Condition", str(value["Condition"]), "", path)
    else:
        yield from find(value, path)


def _get_att(argument: Any, path: Path) -> Iterator[Reference]:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
        message = (
            "Template error: every Fn::GetAtt object requires two non-empty parameters, "
            "the resource name and the resource attribute"
        )
        raise Misplaced(message, path)
    yield Reference("GetAtt", parts[0], parts[1] if isinstance(parts[1], str) else "", path)
    yield from find(parts[1], path)


def _sub(argument: Any, path: Path) -> Iterator[Reference]:
    text, variables = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        message = (
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
            "Specify a string as first argument, and an optional second argument to specify a mapping of "
            "values to replace in the string"
        )
        raise Misplaced(message, path)
    for name in SUBSTITUTION.findall(text):
        if name.startswith("!") or name in variables:
            continue
        resource, _, attribute = name.strip().partition(".")
        yield Reference("GetAtt" if attribute else "Ref", resource, attribute, path)
    yield from find(variables, path)


def check(template: Template, supports: AttributeCheck) -> None:
    """Refuse references to what does not exist and cycles, in AWS's words, with the line.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    """
    try:
        _check_conditions(template)
        for block in ("Resources", "Outputs"):
            _check_block(template, block, supports)
    except Misplaced as error:
        raise invalid(str(error), template.source.line(error.path)) from error
    creation_order(template, template.resources)


def _check_conditions(template: Template) -> None:
    for name, value in template.conditions.items():
        for reference in in_condition(value, ("Conditions", name)):
            known = reference.name in template.parameters or reference.name in PSEUDO_PARAMETERS
            if reference.kind == "GetAtt" or (reference.kind == "Ref" and not known):
                message = (
                    f"Template format error: Unresolved dependencies {names([reference.name])}. "
                    "Cannot reference resources in the Conditions block of the template"
                )
                raise invalid(message, template.source.line(reference.path))
            _check_names(template, reference, "Conditions")


def _check_block(template: Template, block: str, supports: AttributeCheck) -> None:
    for name, entry in template.source.data.get(block, {}).items():
        used = {key: value for key, value in entry.items() if key in ("Properties", "Metadata", "Value", "Export")}
        for reference in find(used, (block, name)):
            _check_reference(template, reference, block, supports)
        if isinstance(condition := entry.get("Condition"), str):
            path = (block, name, "Condition")
            _check_names(template, Reference("Condition", condition, "", path), block)
        for target in template.resources[name].depends_on if block == "Resources" else ():
            if target not in template.resources:
                raise unresolved(template, target, block, (block, name, "DependsOn"))


def _check_reference(template: Template, reference: Reference, block: str, supports: AttributeCheck) -> None:
    _check_names(template, reference, block)
    known = {*template.resources, *template.parameters, *PSEUDO_PARAMETERS}
    if reference.kind == "Ref" and reference.name not in known:
        raise unresolved(template, reference.name, block, reference.path)
    if reference.kind != "GetAtt":
        return
    line = template.source.line(reference.path)
    if reference.name not in template.resources:
        raise invalid(
            f"Template error: instance of Fn::GetAtt references undefined resource {reference.name}", line
        )
    if reference.attribute:
        problem = supports(template.resources[reference.name].type_name, reference.attribute)
        if problem:
            raise invalid(problem.format(resource=reference.name), line)


def _check_names(template: Template, reference: Reference, block: str) -> None:
    line = template.source.line(reference.path)
    if reference.kind == "Condition" and reference.name not in template.conditions:
        message = (
            f"Template format error: Unresolved condition dependency {reference.name} "
            f"in the {block} block of the template"
        )
        raise invalid(message, line)
    if reference.kind == "Mapping" and reference.name not in template.mappings:
        raise invalid(
            f"Template error: Mapping named '{reference.name}' is not present in the 'Mappings' section of template.",
            line,
        )


def unresolved(template: Template, name: str, block: str, path: Path) -> ApiError:
    """The error for a reference to something that the stack does not have."""
    message = f"Unresolved resource dependencies {names([name])} in the {block} block of the template"
    return invalid(f"Template format error: {message}", template.source.line(path))


def dependencies(template: Template, logical_id: str) -> tuple[str, ...]:
    """The resources that `logical_id` needs: by Ref, GetAtt, Sub or DependsOn."""
    declaration = template.resources[logical_id]
    found = [
        item.name
        for value in (declaration.properties, declaration.metadata)
        for item in find(value, declaration.path)
        if item.kind in ("Ref", "GetAtt")
    ]
    wanted = [name for name in (*found, *declaration.depends_on) if name in template.resources]
    return tuple(dict.fromkeys(wanted))


def creation_order(template: Template, wanted: Mapping[str, object]) -> list[str]:
    """The logical ids of `wanted`, each after what it needs, otherwise as in the template.

    Raises ApiError naming the resources of a cycle.
    """
    needs = {name: [need for need in dependencies(template, name) if need in wanted] for name in wanted}
    return sort(needs)


def sort(needs: Mapping[str, list[str]]) -> list[str]:
    """Each key of `needs` after those it needs; deterministic."""
    ordered: list[str] = []
    waiting = dict(needs)
    while waiting:
        ready = next(
            (name for name, wants in waiting.items() if not any(want in waiting for want in wants)), None
        )
        if ready is None:
            raise invalid(f"Circular dependency between resources: {names(_cycle(waiting))}")
        ordered.append(ready)
        del waiting[ready]
    return ordered


def _cycle(waiting: Mapping[str, list[str]]) -> list[str]:
    """The members of one cycle: follow any need until a name comes again."""
    trail = [next(iter(waiting))]
    while True:
        following = next(want for want in waiting[trail[-1]] if want in waiting)
        if following in trail:
            return trail[trail.index(following) :]
        trail.append(following)
