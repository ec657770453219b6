"""What DynamoDB checks in items and keys, where plain moto answers with nothing, or an error of its own.

What belongs here: those checks. What does not: tables and expressions, which moto has right.

AWS: Amazon DynamoDB API reference, GetItem, UpdateItem, DeleteItem (ValidationException).
"""

from typing import Any

from labkit.cloud.moto_seam.errors import dynamodb_error
from labkit.cloud.moto_seam.replacing import Replacements

KEY_MISMATCH = "The provided key element does not match the schema"


def correct_items(replacements: Replacements) -> None:
    """Keys must have the names and the types of the table's schema."""
    from moto.dynamodb.models import DynamoDBBackend

    for name in ("get_item", "delete_item", "update_item"):
        _check_key_before(replacements, DynamoDBBackend, name)


def _check_key_before(replacements: Replacements, owner: Any, name: str) -> None:
    @replacements.around(owner, name)
    def with_checked_key(
        original: Any, self: Any, table_name: str, key: Any, *args: Any, **kwargs: Any
    ) -> Any:
        check_key(self.get_table(table_name), key)
        return original(self, table_name, key, *args, **kwargs)


def check_key(table: Any, key: dict[str, dict[str, Any]]) -> None:
    """Raise ValidationException when `key` lacks a key attribute of the table or has its type wrong."""
    types = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr:
        types[table.range_key_attr] = table.range_key_type
    for name, wanted in types.items():
        value = key.get(name)
        if value is None or wanted not in value:
            raise dynamodb_error(KEY_MISMATCH)
