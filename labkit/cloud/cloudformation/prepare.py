"""A request's template and values, checked, and ready to be carried out.

What belongs here: everything that can be refused before anything is made. What does not: carrying
out (operations), API shapes (api).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from labkit.aws.images import told_by
from labkit.aws.templates import parameters, references, template
from labkit.aws.templates.errors import ApiError, ResourceFailed, invalid, names, not_emulated
from labkit.aws.templates.intrinsics import (
    NO_VALUE,
    UNKNOWN,
    Environment,
    as_text,
    conditions,
    contains_unknown,
    evaluate,
)
from labkit.aws.templates.parameters import ClientOf, Parameter
from labkit.aws.templates.template import ResourceDeclaration, Template
from labkit.cloud.cloudformation import check, schema
from labkit.cloud.cloudformation.records import Output, Store
from labkit.cloud.cloudformation.resources.base import Handler
from labkit.cloud.cloudformation.resources.registry import HANDLERS, attribute_problem

TEMPLATE_URL_LIMIT = 1_000_000


@dataclass(frozen=True)
class Identity:
    """The stack that a template is prepared for."""

    stack_id: str
    name: str
    account_id: str
    region: str


@dataclass(frozen=True)
class Prepared:
    """A template with its parameters and conditions settled."""

    identity: Identity
    template: Template
    parameters: dict[str, Parameter]
    tags: dict[str, str]
    conditions: dict[str, bool]
    order: list[str]  # the resources wanted, each after what it needs
    needs: dict[str, tuple[str, ...]]
    environment: Environment  # resources' values are UNKNOWN in it

    def handler(self, logical_id: str) -> Handler:
        """The handler of a resource's type."""
        return HANDLERS[self.template.resources[logical_id].kind]


def checked_template(body: str, region: str, limit: int = template.MAX_BODY_BYTES) -> Template:
    """Parse a template and refuse everything that is wrong with it whatever its parameters are."""
    parsed = template.parse(body, limit)
    parameters.check(parsed)
    clash = [name for name in parsed.resources if name in parsed.parameters]
    if clash:
        raise invalid(f"Template format error: {names(clash)} is both a parameter and a resource")
    references.check(parsed, partial(_attribute_problem, region))
    check.check(parsed, region, HANDLERS)
    return parsed


def _attribute_problem(region: str, type_name: str, attribute: str) -> str:
    return attribute_problem(type_name, attribute, region)


def needed_capabilities(parsed: Template) -> list[str]:
    """CAPABILITY_NAMED_IAM or CAPABILITY_IAM when resources need it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html
    """
    iam = [item for item in parsed.resources.values() if HANDLERS[item.kind].capability]
    if any(HANDLERS[item.kind].name_property in item.properties for item in iam):
        return ["CAPABILITY_NAMED_IAM"]
    return ["CAPABILITY_IAM"] if iam else []


def iam_types(parsed: Template) -> list[str]:
    """The resource types for which a capability is needed."""
    types = (item.type_name for item in parsed.resources.values() if HANDLERS[item.kind].capability)
    return list(dict.fromkeys(types))


def check_capabilities(parsed: Template, given: Iterable[str]) -> None:
    """Refuse a stack whose IAM resources were not acknowledged."""
    needed = needed_capabilities(parsed)
    enough = {*needed, "CAPABILITY_NAMED_IAM"}
    if needed and not enough & set(given):
        raise ApiError("InsufficientCapabilitiesException", f"Requires capabilities : {names(needed)}")


def prepare(
    identity: Identity,
    parsed: Template,
    given: Mapping[str, str],
    tags: Mapping[str, str],
    client: ClientOf,
    store: Store,
) -> Prepared:
    """Settle parameters and conditions. Raises ApiError for values that AWS refuses at the call."""
    settled = parameters.resolve(parsed, given, client)
    values = {key: parameter.value for key, parameter in settled.items()} | _pseudo(identity)
    environment = Environment(
        values=values,
        mappings=parsed.mappings,
        conditions={},
        reference=lambda _: UNKNOWN,
        attribute=lambda _, __: UNKNOWN,
        zones=partial(_zones, client),
        imported=partial(_imported, store),
        dynamic=partial(_dynamic, client),
    )
    truths = conditions(parsed.conditions, environment)
    wanted = {name: item for name, item in parsed.resources.items() if truths.get(item.condition, True)}
    _check_wanted(parsed, wanted, truths)
    _check_mappings(wanted, truths, Environment(**{**vars(environment), "conditions": truths}))
    needs = {
        name: tuple(need for need in references.dependencies(parsed, name) if need in wanted)
        for name in wanted
    }
    order = references.sort({name: list(wants) for name, wants in needs.items()})
    environment = Environment(**{**vars(environment), "conditions": truths})
    return Prepared(identity, parsed, settled, dict(tags), truths, order, needs, environment)


def _check_wanted(parsed: Template, wanted: Mapping[str, Any], truths: Mapping[str, bool]) -> None:
    """A reference that is evaluated must not lead to a resource whose condition is false."""
    absent = set(parsed.resources) - set(wanted)
    blocks = [("Resources", name, parsed.resources[name].properties) for name in wanted]
    blocks += [
        ("Outputs", name, item)
        for name, item in parsed.outputs.items()
        if truths.get(str(item.get("Condition", "")), True)
    ]
    for block, name, value in blocks:
        for reference in references.find(_chosen(value, truths), (block, name)):
            if reference.kind in ("Ref", "GetAtt") and reference.name in absent:
                raise references.unresolved(parsed, reference.name, block, (block, name))


def _check_mappings(
    wanted: Mapping[str, ResourceDeclaration], truths: Mapping[str, bool], environment: Environment
) -> None:
    """What a map lacks is known before anything is made. Raises ApiError."""

    def look(value: Any) -> None:
        if references.function_of(value) == "Fn::FindInMap":
            evaluate(value, environment)
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                look(item)

    for declaration in wanted.values():
        look(_chosen(declaration.properties, truths))


def _chosen(value: Any, truths: Mapping[str, bool]) -> Any:
    """`value` with only the branches of Fn::If that the conditions choose."""
    if references.function_of(value) == "Fn::If":
        name, then, otherwise = value["Fn::If"]
        return _chosen(then if truths[name] else otherwise, truths)
    if isinstance(value, dict):
        return {key: _chosen(item, truths) for key, item in value.items()}
    return [_chosen(item, truths) for item in value] if isinstance(value, list) else value


def _pseudo(identity: Identity) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html."""
    return {
        "AWS::AccountId": identity.account_id,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": identity.region,
        "AWS::StackId": identity.stack_id,
        "AWS::StackName": identity.name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def _zones(client: ClientOf, region: str) -> list[str]:
    found = client("ec2").describe_availability_zones(Filters=[{"Name": "region-name", "Values": [region]}])
    return sorted(zone["ZoneName"] for zone in found["AvailabilityZones"])


def _imported(store: Store, name: str) -> str:
    for _, output in store.exports():
        if output.export == name:
            return output.value
    raise invalid(f"No export named {name} found.")


def _dynamic(client: ClientOf, service: str, key: str) -> str:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html."""
    if service != "ssm":
        raise not_emulated(f"The dynamic reference {{{{resolve:{service}:…}}}}")
    try:
        found = client("ssm").get_parameter(Name=key)["Parameter"]
    except ClientError as error:
        message = f"Parameters: {names([f'ssm:{key}:'])} cannot be found"
        raise invalid(message + told_by(error)) from error
    return str(found["Value"])


def resolved_properties(prepared: Prepared, logical_id: str, environment: Environment) -> dict[str, Any]:
    """A resource's properties: functions evaluated, the schema's types, tags merged.

    Values that are not known yet are UNKNOWN. Raises ApiError as `evaluate` does.
    """
    declaration = prepared.template.resources[logical_id]
    document = schema.load(declaration.kind, prepared.identity.region).document
    value = evaluate(declaration.properties, environment)
    properties: dict[str, Any] = check.typed(value, document, document.get("definitions", {}))
    if "Tags" in prepared.handler(logical_id).emulated:
        properties["Tags"] = _tags(prepared, declaration, properties.get("Tags", {}))
    return properties


def _tags(prepared: Prepared, declaration: ResourceDeclaration, own: Any) -> Any:
    """The resource's tags over the stack's, and CloudFormation's own.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
    """
    if contains_unknown(own):
        return UNKNOWN
    given = own if isinstance(own, dict) else {item["Key"]: item["Value"] for item in own}
    tags = {**prepared.tags, **given}
    identity = prepared.identity
    if schema.load(declaration.kind, identity.region).takes_system_tags:
        tags["aws:cloudformation:stack-name"] = identity.name
        tags["aws:cloudformation:stack-id"] = identity.stack_id
        tags["aws:cloudformation:logical-id"] = declaration.logical_id
    return tags


def require_valid(prepared: Prepared, logical_id: str, properties: Mapping[str, Any]) -> None:
    """Raise ResourceFailed when values that only the resolver knew break the schema."""
    declaration = prepared.template.resources[logical_id]
    untagged = {name: value for name, value in properties.items() if name != "Tags"}
    problems = check.resolved_problems(declaration, untagged, prepared.identity.region)
    if problems:
        raise ResourceFailed(
            "Properties validation failed for resource "
            + logical_id
            + " with message:\n"
            + "\n".join(problems)
        )


def outputs(prepared: Prepared, environment: Environment) -> list[Output]:
    """The stack's outputs, those whose condition holds. Raises ApiError as `evaluate` does."""
    found = []
    for key, entry in prepared.template.outputs.items():
        if not prepared.conditions.get(str(entry.get("Condition", "")), True):
            continue
        value = evaluate(entry["Value"], environment)
        if value is NO_VALUE or isinstance(value, (dict, list)):
            line = prepared.template.line("Outputs", key)
            raise invalid(
                "Template format error: Output " + key + " is malformed. The Value field must be a string",
                line,
            )
        export = evaluate((entry.get("Export") or {}).get("Name", ""), environment)
        found.append(Output(key, as_text(value), str(entry.get("Description", "")), as_text(export)))
    return found


ClientFactory = Callable[[str, str], Any]
"""(service, region) → boto3 client."""
