"""What a new table or index must be like.

What belongs here: the checks of CreateTable and UpdateTable. What does not: carrying them out (control).

AWS: API reference, CreateTable, UpdateTable; developer guide, "Service quotas" (5 local, 20 global indexes, 100
projected attributes).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.cloud.stores.dynamodb.errors import invalid, invalid_parameter, not_emulated
from labkit.cloud.stores.dynamodb.tables.schema import GLOBAL, LOCAL

_NAME = re.compile(r"[a-zA-Z0-9_.-]+").fullmatch
_MOST = {LOCAL: 5, GLOBAL: 20}
_PROJECTED = 100
_TAGS = 50
#: partition or sort key attributes of a global index
_COMPOSITE = 4
_NOT_HERE = (
    "ReplicaUpdates", "MultiRegionConsistency", "GlobalTableWitnessUpdates", "GlobalTableSettingsReplicationMode",
    "ResourcePolicy", "GlobalTableSourceArn", "VectorIndexes", "VectorIndexUpdates",
)  # fmt: skip


def check_name(name: str, what: str = "tableName") -> None:
    """Raise DynamoError for a name that no table or index can have."""
    words = f"Value '{name}' at '{what}' failed to satisfy constraint: Member must"
    mistakes = []
    if len(name) < 3:
        mistakes.append(f"{words} have length greater than or equal to 3")
    if len(name) > 255:
        mistakes.append(f"{words} have length less than or equal to 255")
    if name and not _NAME(name):
        mistakes.append(f"{words} satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
    if mistakes:
        plural = "s" if len(mistakes) > 1 else ""
        raise invalid(f"{len(mistakes)} validation error{plural} detected: {'; '.join(mistakes)}")


def check_emulated(request: Mapping[str, Any]) -> None:
    """Raise DynamoError for parameters that nothing here stands behind."""
    for name in _NOT_HERE:
        if request.get(name):
            raise not_emulated(f"{name} of DynamoDB's tables")


def check_new_table(request: Mapping[str, Any]) -> None:
    """Raise DynamoError for a CreateTable that AWS would refuse."""
    definitions = request.get("AttributeDefinitions")
    if definitions is None:
        raise invalid(
            "1 validation error detected: Value null at 'attributeDefinitions' failed to satisfy constraint: "
            "Member must not be null"
        )
    if request.get("KeySchema") is None:
        raise invalid(
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: "
            "Member must not be null"
        )
    check_billing(request.get("BillingMode", "PROVISIONED"), request.get("ProvisionedThroughput"))
    check_key_schema(request["KeySchema"])
    used = [each["AttributeName"] for each in request["KeySchema"]]
    names: list[str] = []
    for group in (LOCAL, GLOBAL):
        indexes = request.get(group)
        if indexes is None:
            continue
        if not indexes:
            raise invalid_parameter(f"List of {group} is empty")
        _check_indexes(group, indexes, request, names)
        used += [each["AttributeName"] for index in indexes for each in index["KeySchema"]]
    check_definitions(definitions, used)


def check_billing(mode: str, throughput: Mapping[str, Any] | None) -> None:
    """Raise DynamoError when the billing mode and the throughput do not fit each other."""
    if mode == "PAY_PER_REQUEST" and throughput is not None:
        raise invalid_parameter(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if mode == "PROVISIONED" and throughput is None:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )


def check_definitions(
    definitions: Sequence[Mapping[str, str]], used: Sequence[str], *, all_used: bool = True
) -> None:
    """Raise DynamoError unless the attributes that keys use are defined, and with `all_used` no others."""
    defined = [each["AttributeName"] for each in definitions]
    twice = next((name for name in defined if defined.count(name) > 1), None)
    if twice is not None:
        raise invalid_parameter(f"Duplicate AttributeName in AttributeDefinitions: {twice}")
    missing = [name for name in dict.fromkeys(used) if name not in defined]
    shown = f"[{', '.join(defined)}]"
    if missing:
        raise invalid_parameter(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(missing)}], AttributeDefinitions: {shown}"
        )
    if all_used and len(set(used)) < len(defined):
        raise invalid_parameter(
            "Some AttributeDefinitions are not used. "
            f"AttributeDefinitions: {shown}, keys used: [{', '.join(dict.fromkeys(used))}]"
        )


def check_key_schema(elements: Sequence[Mapping[str, str]], *, composite: bool = False) -> None:
    """Raise DynamoError unless these are a partition key, and perhaps a sort key behind it."""
    roles = [each["KeyType"] for each in elements]
    most = _COMPOSITE if composite else 1
    names = [each["AttributeName"] for each in elements]
    if not composite and len(roles) > 2:
        shown = ", ".join(
            f"KeySchemaElement(attributeName={name}, keyType={role})"
            for name, role in zip(names, roles, strict=True)
        )
        raise invalid(
            f"1 validation error detected: Value '[{shown}]' at 'keySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        )
    if roles[0] != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if roles != sorted(roles):
        raise invalid("Invalid KeySchema: HASH key elements must precede all RANGE key elements")
    for role in ("HASH", "RANGE"):
        if roles.count(role) > most:
            if composite:
                raise invalid(f"Invalid KeySchema: more than {most} {role} key elements")
            words = "The second KeySchemaElement is not a RANGE key type"
            raise invalid(f"Invalid KeySchema: {words}")
    if len(set(names)) < len(names):
        raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")


def _check_indexes(
    group: str, indexes: Sequence[Mapping[str, Any]], request: Mapping[str, Any], names: list[str]
) -> None:
    if len(indexes) > _MOST[group]:
        if group == GLOBAL:
            raise invalid_parameter("GlobalSecondaryIndex count exceeds the per-table limit of 20")
        raise invalid_parameter(f"Number of {group} exceeds per-table limit of {_MOST[group]}")
    for index in indexes:
        check_name(index["IndexName"], f"{group[:1].lower()}{group[1:]}.1.member.indexName")
        if index["IndexName"] in names:
            raise invalid_parameter(f"Duplicate index name: {index['IndexName']}")
        names.append(index["IndexName"])
        check_projection(index)
        if group == LOCAL:
            _check_local(index, request["KeySchema"])
        else:
            check_global(index, request.get("BillingMode", "PROVISIONED"))
    _check_projected(indexes)


def _check_local(index: Mapping[str, Any], table: Sequence[Mapping[str, str]]) -> None:
    check_key_schema(index["KeySchema"])
    if len(table) < 2:
        raise invalid_parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    if len(index["KeySchema"]) < 2:
        raise invalid_parameter(f"Index KeySchema does not have a range key for index: {index['IndexName']}")
    if index["KeySchema"][0]["AttributeName"] != table[0]["AttributeName"]:
        raise invalid_parameter(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
            f"{index['IndexName']}. index hash key: {index['KeySchema'][0]['AttributeName']}, "
            f"table hash key: {table[0]['AttributeName']}"
        )


def check_global(index: Mapping[str, Any], mode: str) -> None:
    """Raise DynamoError for a global index that AWS would refuse."""
    check_key_schema(index["KeySchema"], composite=True)
    if mode == "PAY_PER_REQUEST" and index.get("ProvisionedThroughput") is not None:
        raise invalid_parameter(
            "ProvisionedThroughput should not be specified for index: "
            f"{index['IndexName']} when BillingMode is PAY_PER_REQUEST"
        )
    if mode == "PROVISIONED" and index.get("ProvisionedThroughput") is None:
        raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {index['IndexName']}")


def check_projection(index: Mapping[str, Any]) -> None:
    """Raise DynamoError unless ProjectionType and NonKeyAttributes fit each other."""
    projection = index.get("Projection") or {}
    kind, names = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    if kind == "INCLUDE" and names is None:
        raise invalid_parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and names is not None:
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if names is not None and len(set(names)) < len(names):
        raise invalid_parameter("Duplicate NonKeyAttributes in the projection")


def _check_projected(indexes: Sequence[Mapping[str, Any]]) -> None:
    count = sum(len(index["Projection"].get("NonKeyAttributes", ())) for index in indexes)
    if count > _PROJECTED:
        raise invalid_parameter(
            f"The total number of NonKeyAttributes across all secondary indexes must not exceed {_PROJECTED}"
        )


def check_tags(tags: Sequence[Mapping[str, str]]) -> None:
    """Raise DynamoError for tags that AWS would refuse."""
    names = [each["Key"] for each in tags]
    if len(set(names)) < len(names):
        raise invalid("Duplicate tag key found in the request")
    for name in names:
        if name.lower().startswith("aws:"):
            raise invalid(f"Tag keys starting with 'aws:' are reserved for system use: {name}")
    for text in [each[name] for each in tags for name in ("Key", "Value")]:
        if not all(letter.isalnum() or letter.isspace() or letter in "_.:/=+-@" for letter in text):
            raise invalid_parameter(f"One or more tags are not valid: {text}")
    if len(tags) > _TAGS:
        raise invalid_parameter(f"Number of tags exceeds the maximum of {_TAGS}")
