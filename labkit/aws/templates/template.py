"""A template's sections and resources as declared, their structure checked.

What belongs here: what is wrong with a template whatever its parameters are. What does not:
properties of resources (check), references between them (references).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.aws.templates.errors import invalid, names, not_emulated
from labkit.aws.templates.source import Path, Source, read

MAX_BODY_BYTES = 51_200
#: AWS CloudFormation user guide, "CloudFormation quotas"
_MOST = {"Parameters": 200, "Mappings": 200, "Resources": 500, "Outputs": 200}
_MOST_ATTRIBUTES = 200
_MAX_DESCRIPTION_BYTES = 1024
_SECTIONS = frozenset(
    [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    ]
)
_REFUSED_SECTIONS = frozenset({"Transform", "Rules", "Hooks"})
_ATTRIBUTES = frozenset(
    ["Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "CreationPolicy"]
)
_REFUSED_ATTRIBUTES = frozenset({"UpdatePolicy"})
#: what every resource of a type Custom::Anything is
CUSTOM = "AWS::CloudFormation::CustomResource"
#: the types whose creation can wait for signals (those that the local cloud has)
_SIGNALLED = ("AWS::EC2::Instance", "AWS::CloudFormation::WaitCondition")
_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")


def kind_of(type_name: str) -> str:
    """The type whose rules a resource of this type follows: Custom::Anything is a custom resource."""
    return CUSTOM if type_name.startswith("Custom::") else type_name


@dataclass(frozen=True)
class ResourceDeclaration:
    """One entry of the section Resources, its functions not yet resolved."""

    logical_id: str
    type_name: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    creation_policy: Mapping[str, Any] = field(default_factory=dict)
    metadata: Any = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it stands in the template."""
        return ("Resources", self.logical_id)

    @property
    def kind(self) -> str:
        """The type whose rules it follows: Custom::Anything is a custom resource."""
        return kind_of(self.type_name)


@dataclass(frozen=True)
class Template:
    """A template whose structure is right."""

    source: Source
    description: str
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, ResourceDeclaration]
    outputs: Mapping[str, Mapping[str, Any]]

    def line(self, *path: str | int) -> int | None:
        """The line of the template on which `path` stands."""
        return self.source.line(path)


def parse(body: str, limit: int = MAX_BODY_BYTES) -> Template:
    """Read and check the structure of a template; `limit` in bytes.

    Raises ApiError(ValidationError) in AWS's words, with the line where there is one.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
    """
    size = len(body.encode())
    if size > limit:
        raise invalid(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limit} (it has {size})"
        )
    source = read(body)
    data = _checked_sections(source)
    return Template(
        source=source,
        description=_description(data.get("Description", ""), "Description", source, ("Description",)),
        parameters=_entries(source, "Parameters"),
        mappings=_mappings(source),
        conditions=_section(source, "Conditions"),
        resources=_resources(source),
        outputs=_outputs(source),
    )


def _checked_sections(source: Source) -> Mapping[str, Any]:
    data = source.data
    if not isinstance(data, dict):
        raise invalid("Template format error: unsupported structure.")
    for section in data:
        if section in _REFUSED_SECTIONS:
            raise not_emulated(f"The template section {section}", source.line((section,)))
    if unknown := [section for section in data if section not in _SECTIONS]:
        message = f"Invalid template property or properties {names(unknown)}"
        raise invalid(message, source.line((unknown[0],)))
    if str(data.get("AWSTemplateFormatVersion", "2010-09-09")) != "2010-09-09":
        line = source.line(("AWSTemplateFormatVersion",))
        raise invalid("Template format error: unsupported value for AWSTemplateFormatVersion.", line)
    if not data.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")
    return data


def _section(source: Source, name: str) -> Mapping[str, Any]:
    section = source.data.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise invalid(f"Template format error: {name} must be an object.", source.line((name,)))
    return section


def _entries(source: Source, name: str) -> Mapping[str, Mapping[str, Any]]:
    section = _section(source, name)
    _check_number(name.lower(), section, _MOST[name], source.line((name,)))
    for key, entry in section.items():
        line = source.line((name, key))
        if not isinstance(entry, dict):
            message = f"Template format error: Every {name} member must be an object: [/{name}/{key}]"
            raise invalid(message, line)
        if not _LOGICAL_ID.fullmatch(key):
            raise invalid(f"Template format error: {name} name {key} is non alphanumeric.", line)
    return section


def _check_number(what: str, found: Mapping[str, Any], most: int, line: int | None) -> None:
    if len(found) > most:
        message = f"Number of {what}, {len(found)}, is greater than maximum allowed, {most}"
        raise invalid(f"Template format error: {message}", line)


def _mappings(source: Source) -> Mapping[str, Any]:
    mappings = _entries(source, "Mappings")
    for name, mapping in mappings.items():
        what = f"attributes in mapping {name}"
        _check_number(what, mapping, _MOST_ATTRIBUTES, source.line(("Mappings", name)))
    return mappings


def _description(value: Any, what: str, source: Source, path: Path) -> str:
    text = _text(value, what, source, path)
    if len(text.encode()) > _MAX_DESCRIPTION_BYTES:
        problem = f"'{what}' length is greater than {_MAX_DESCRIPTION_BYTES}."
        raise invalid(f"Template format error: {problem}", source.line(path))
    return text


def _resources(source: Source) -> dict[str, ResourceDeclaration]:
    entries = _entries(source, "Resources")
    return {logical_id: _resource(source, logical_id, entry) for logical_id, entry in entries.items()}


def _resource(source: Source, logical_id: str, entry: Mapping[str, Any]) -> ResourceDeclaration:
    path = ("Resources", logical_id)
    _check_attributes(source, path, entry)
    type_name = entry.get("Type")
    if not isinstance(type_name, str):
        message = f"[/Resources/{logical_id}] Every Resources object must contain a Type member."
        raise invalid(f"Template format error: {message}", source.line(path))
    return ResourceDeclaration(
        logical_id=logical_id,
        type_name=type_name,
        properties=_properties(source, path, entry),
        depends_on=_depends_on(source, path, entry),
        condition=_text(
            entry.get("Condition", ""), f"Condition of {logical_id}", source, (*path, "Condition")
        ),
        deletion_policy=_policy(source, path, entry, "DeletionPolicy"),
        update_replace_policy=_policy(source, path, entry, "UpdateReplacePolicy"),
        creation_policy=_creation_policy(source, path, entry, type_name),
        metadata=entry.get("Metadata", {}),
    )


def _creation_policy(source: Source, path: Path, entry: Mapping[str, Any], type_name: str) -> Mapping[str, Any]:
    policy = _object(source, path, entry, "CreationPolicy")
    if "CreationPolicy" in entry and type_name not in _SIGNALLED:
        message = f"CreationPolicy is not supported for resource type {type_name} of resource {path[1]}"
        raise invalid(message, source.line((*path, "CreationPolicy")))
    for key in policy:
        if key != "ResourceSignal":
            raise not_emulated(f"{key} in the CreationPolicy of {path[1]}", source.line((*path, "CreationPolicy", key)))
    return policy


def _object(source: Source, path: Path, entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key) or {}
    if not isinstance(value, dict):
        message = f"Template format error: [/Resources/{path[1]}/{key}] must be an object."
        raise invalid(message, source.line((*path, key)))
    return value


def _check_attributes(source: Source, path: Path, entry: Mapping[str, Any]) -> None:
    for key in entry:
        if key in _REFUSED_ATTRIBUTES:
            raise not_emulated(f"The attribute {key} of resource {path[1]}", source.line((*path, key)))
        if key not in _ATTRIBUTES:
            message = f"Invalid template resource property '{key}' of resource {path[1]}"
            raise invalid(message, source.line((*path, key)))


def _properties(source: Source, path: Path, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = entry.get("Properties")
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        message = f"Template format error: [/Resources/{path[1]}/Properties] must be an object."
        raise invalid(message, source.line((*path, "Properties")))
    return properties


def _depends_on(source: Source, path: Path, entry: Mapping[str, Any]) -> tuple[str, ...]:
    value = entry.get("DependsOn", [])
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        message = "Template format error: DependsOn must be a string or list of strings."
        raise invalid(message, source.line((*path, "DependsOn")))
    return tuple(items)


def _policy(source: Source, path: Path, entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "Delete")
    if value == "Snapshot":
        raise not_emulated(f"{key} Snapshot of resource {path[1]}", source.line((*path, key)))
    if value not in _POLICIES:
        message = f"Template format error: Unrecognized {key} {value} for resource {path[1]}"
        raise invalid(message, source.line((*path, key)))
    return str(value)


def _outputs(source: Source) -> Mapping[str, Mapping[str, Any]]:
    outputs = _entries(source, "Outputs")
    for name, output in outputs.items():
        if output.get("Value") is None:
            message = f"Template format error: Output {name} is malformed. Every Outputs member must contain a Value"
            raise invalid(message, source.line(("Outputs", name)))
        for key in output:
            if key not in ("Description", "Value", "Export", "Condition"):
                message = f"Invalid template output property '{key}' of output {name}"
                raise invalid(message, source.line(("Outputs", name, key)))
        what, place = f"Description of output {name}", ("Outputs", name, "Description")
        _description(str(output.get("Description", "")), what, source, place)
    return outputs


def _text(value: Any, what: str, source: Source, path: Path = ()) -> str:
    if not isinstance(value, str):
        raise invalid(f"Template format error: {what} must be a string.", source.line(path))
    return value
