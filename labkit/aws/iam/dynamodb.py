"""The permissions of DynamoDB's operations.

What belongs here: which actions on which tables and indexes a call needs. What does not: other
services. DynamoDB developer guide: "Using IAM with DynamoDB", "DynamoDB API permissions", "IAM
policies for PartiQL".
"""

import re
from collections.abc import Callable, Mapping
from itertools import groupby

from labkit.aws.iam.calls import ApiCall, Need

_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_PARTIQL = re.compile(r"\s*(select|insert|update|delete)\b", re.IGNORECASE)
_PARTIQL_TABLE = re.compile(
    r'\b(?:from|into|update)\s+"?([A-Za-z0-9_.-]+?)"?(?:\s*\.\s*"?([A-Za-z0-9_.-]+)"?)?(?:\s|$)',
    re.IGNORECASE,
)


def dynamodb_needs(call: ApiCall) -> list[Need]:
    """The permissions that a call of DynamoDB needs."""
    special = _SPECIAL.get(call.operation)
    if special:
        return special(call)
    return [Need(f"dynamodb:{call.operation}", [_resource(call)])]


def _resource(call: ApiCall) -> str:
    table = call.text("TableName")
    if not table:
        stream = call.text("StreamArn") or call.text("ShardIterator").partition("|")[0]
        return stream or call.text("ResourceArn") or call.text("TableArn") or "*"
    index = call.text("IndexName")
    return _table(call, table) + (f"/index/{index}" if index else "")


def _table(call: ApiCall, table: str) -> str:
    return table if table.startswith("arn:") else call.arn(f"table/{table}")


def _batch(call: ApiCall) -> list[Need]:
    items = call.parameters.get("RequestItems")
    tables = sorted(items) if isinstance(items, Mapping) else []
    return [Need(f"dynamodb:{call.operation}", [_table(call, table) for table in tables] or ["*"])]


def _transaction(call: ApiCall) -> list[Need]:
    """A transaction needs the permissions of its parts, and none of its own."""
    items = call.parameters.get("TransactItems")
    parts = sorted(
        {
            (_TRANSACTION[name], _table(call, str(part.get("TableName", ""))))
            for item in (items if isinstance(items, list) else [])
            if isinstance(item, Mapping)
            for name, part in item.items()
            if name in _TRANSACTION and isinstance(part, Mapping)
        }
    )
    needs = [
        Need(f"dynamodb:{action}", [table for _, table in pairs])
        for action, pairs in groupby(parts, key=lambda pair: pair[0])
    ]
    return needs or [Need(f"dynamodb:{call.operation}")]


def _partiql(call: ApiCall) -> list[Need]:
    statements = [call.text("Statement")] if call.text("Statement") else _statements(call)
    return [_partiql_need(call, statement) for statement in statements] or [Need("dynamodb:PartiQLSelect")]


def _statements(call: ApiCall) -> list[str]:
    listed = call.parameters.get("Statements") or call.parameters.get("TransactStatements")
    items = listed if isinstance(listed, list) else []
    return [str(item.get("Statement", "")) for item in items if isinstance(item, Mapping)]


def _partiql_need(call: ApiCall, statement: str) -> Need:
    verb, table = _PARTIQL.match(statement), _PARTIQL_TABLE.search(statement)
    action = f"dynamodb:PartiQL{verb[1].capitalize() if verb else 'Select'}"
    if table is None:
        return Need(action)
    index = f"/index/{table[2]}" if table[2] else ""
    return Need(action, [_table(call, table[1]) + index])


def leading_keys(call: ApiCall, partition_key: str) -> tuple[str, ...]:
    """The values of dynamodb:LeadingKeys: the partition keys that a call touches in its table."""
    found: list[str] = []
    for name in ("Key", "Item"):
        found += _key_values(call.parameters.get(name), partition_key)
    items = call.parameters.get("RequestItems")
    for request in items.values() if isinstance(items, Mapping) else []:
        found += _batch_values(request, partition_key)
    return tuple(dict.fromkeys(found))


def _batch_values(request: object, partition_key: str) -> list[str]:
    if isinstance(request, Mapping):  # BatchGetItem
        keys = request.get("Keys")
        return [value for key in keys or [] for value in _key_values(key, partition_key)]
    found: list[str] = []
    for write in request if isinstance(request, list) else []:
        found += _key_values(write.get("PutRequest", {}).get("Item"), partition_key)
        found += _key_values(write.get("DeleteRequest", {}).get("Key"), partition_key)
    return found


def _key_values(item: object, partition_key: str) -> list[str]:
    if not isinstance(item, Mapping) or not isinstance(item.get(partition_key), Mapping):
        return []
    return [str(value) for value in item[partition_key].values()]


_SPECIAL: dict[str, Callable[[ApiCall], list[Need]]] = {
    "BatchGetItem": _batch,
    "BatchWriteItem": _batch,
    "TransactGetItems": _transaction,
    "TransactWriteItems": _transaction,
    "ExecuteStatement": _partiql,
    "BatchExecuteStatement": _partiql,
    "ExecuteTransaction": _partiql,
}
