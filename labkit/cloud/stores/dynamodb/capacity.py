"""What requests consume: ConsumedCapacity and ItemCollectionMetrics.

What belongs here: units by size, and how they are told. What does not: throttling, which there is none of.

AWS: developer guide, "DynamoDB provisioned capacity mode" (read and write request units), API reference,
ConsumedCapacity.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.dynamodb.tables.schema import Table


def read_units(size: int, *, consistent: bool) -> float:
    """Units of reading so many bytes: one for each 4 KB, half of it for an eventually consistent read."""
    blocks = max(1, -(-size // 4096))
    return blocks if consistent else blocks / 2


def write_units(size: int) -> float:
    """Units of writing so many bytes: one for each 1 KB."""
    return max(1, -(-size // 1024))


class Usage:
    """What one request has consumed so far, by table and index."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._wanted = request.get("ReturnConsumedCapacity", "NONE")
        self._tables: dict[int, Table] = {}
        self._of_table: Counter[int] = Counter()
        self._of_index: dict[int, Counter[str]] = {}

    def add(self, table: Table, units: float, index: str = "") -> None:
        """So many units were used on a table, or one of its indexes."""
        self._tables[table.number] = table
        if index:
            self._of_index.setdefault(table.number, Counter())[index] += units  # type: ignore[assignment]
        else:
            self._of_table[table.number] += units  # type: ignore[assignment]

    def of_one(self) -> dict[str, Any]:
        """The member ConsumedCapacity of an answer about one table, where the request asked for it."""
        return {name: told[0] for name, told in self.of_many().items()}

    def of_many(self) -> dict[str, Any]:
        """The same of an answer about several tables, one for each."""
        told = [self._of(table) for table in self._tables.values()] if self._wanted != "NONE" else []
        return {"ConsumedCapacity": told} if told else {}

    def _of(self, table: Table) -> dict[str, Any]:
        own, indexes = float(self._of_table[table.number]), self._of_index.get(table.number, Counter())
        told: dict[str, Any] = {"TableName": table.name, "CapacityUnits": own + float(sum(indexes.values()))}
        if self._wanted == "INDEXES":
            told["Table"] = {"CapacityUnits": own}
            for group, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
                members = {
                    name: {"CapacityUnits": float(units)}
                    for name, units in indexes.items()
                    if table.indexes[name].is_global == is_global
                }
                told |= {group: members} if members else {}
        return told
