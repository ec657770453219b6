"""Tables: creating, describing, changing and deleting them.

What belongs here: the control plane of tables and their indexes. What does not: what can be set of a table besides
(settings), the checks of requests (table_checks), items.

AWS: API reference of CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables.
"""

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.dynamodb.errors import (
    DynamoError,
    invalid,
    invalid_parameter,
    no_table,
    not_found,
)
from labkit.cloud.stores.dynamodb.storage import Bounds, Position, Segment, Storage
from labkit.cloud.stores.dynamodb.tables import checks as table_checks
from labkit.cloud.stores.dynamodb.tables import descriptions
from labkit.cloud.stores.dynamodb.tables.schema import GLOBAL, LOCAL, Index, Table
from labkit.cloud.stores.dynamodb.tables.streams import close_stream, open_stream

#: what a new on-demand table can do at once (developer guide, "Initial throughput for on-demand capacity mode")
_WARM = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
_UPDATES = (
    "ProvisionedThroughput", "BillingMode", "StreamSpecification", "GlobalSecondaryIndexUpdates", "SSESpecification",
    "TableClass", "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput", "AttributeDefinitions",
)  # fmt: skip
_BACKFILLED_AT_ONCE = 400
#: what is told of a table that goes
_DELETED = frozenset(
    {
        *("TableName", "TableStatus", "ProvisionedThroughput", "TableSizeBytes", "ItemCount", "TableArn"),
        *("TableId", "BillingModeSummary", "DeletionProtectionEnabled", "TableClassSummary"),
    }
)


class Tables:
    """All tables of an account, by region and name. For any thread."""

    def __init__(self, storage: Storage, account: str) -> None:
        self._storage = storage
        self._account = account
        self.lock = threading.RLock()
        self._tables: dict[tuple[str, str], Table] = {
            (region, name): Table(number, region, kept["description"], kept["settings"])
            for number, region, name, kept in storage.tables()
        }

    def all(self) -> list[Table]:
        """Every table, in every region."""
        with self.lock:
            return list(self._tables.values())

    def find(self, region: str, name: str) -> Table:
        """A table by its name or ARN, for its items. Raises DynamoError."""
        found = self._tables.get((region, self._bare(region, name)))
        if found is None:
            raise not_found("Requested resource not found")
        return found

    def partition_key(self, region: str, name: str) -> str | None:
        """The name of a table's partition key, where there is such a table; `name` may be an ARN."""
        found = self._tables.get((region, name.rsplit("/", 1)[-1]))
        return found.key.partition[0].name if found else None

    def made_at(self, region: str, name: str) -> float | None:
        """When a table was made, in seconds since the epoch; None where there is none."""
        found = self._tables.get((region, name))
        return float(found.description["CreationDateTime"]) if found else None

    def tagged(self, region: str) -> list[tuple[str, Mapping[str, str], str]]:
        """ARN, tags and resource type of each table."""
        with self.lock:
            here = [table for (where, _), table in self._tables.items() if where == region]
            return [(table.arn, dict(table.settings["tags"]), "dynamodb:table") for table in here]

    def tags_of(self, region: str, name: str) -> Mapping[str, str]:
        """A table's tags, where there is such a table; `name` may be an ARN."""
        found = self._tables.get((region, name.rsplit("/", 1)[-1]))
        return dict(found.settings["tags"]) if found else {}

    def _bare(self, region: str, name: str) -> str:
        """The name in a name or ARN. Raises DynamoError for what is neither."""
        if not name.startswith("arn:"):
            table_checks.check_name(name)
            return name
        begin = f"arn:aws:dynamodb:{region}:{self._account}:table/"
        if not name.startswith(begin):
            raise not_found(f"Requested resource not found: Table: {name} not found")
        return name.removeprefix(begin).partition("/")[0]

    def named(self, region: str, name: str) -> Table:
        """A table by its name or ARN, for the control plane. Raises DynamoError."""
        bare = self._bare(region, name)
        found = self._tables.get((region, bare))
        if found is None:
            raise no_table(bare)
        return found

    def by_arn(self, region: str, arn: str) -> Table:
        """The table with exactly this ARN. Raises DynamoError."""
        begin = f"arn:aws:dynamodb:{region}:{self._account}:table/"
        if not arn.startswith("arn:"):
            raise invalid(f"Invalid TableArn: ARNs must start with 'arn:': {arn}")
        if "/index/" in arn:
            raise invalid_parameter(
                "Invalid resource arn provided, only table or stream is accepted. "
                f"Provided resource arn: {arn}"
            )
        table = self._tables.get((region, arn.removeprefix(begin)))
        if table is None:
            if not arn.startswith(f"arn:aws:dynamodb:{region}:{self._account}:"):
                raise DynamoError("AccessDeniedException", f"You do not have access to {arn}")
            raise not_found(f"Requested resource not found: ResourcArn: {arn} not found")
        return table

    def keep(self, table: Table) -> None:
        """Write down what has been changed of it."""
        self._storage.put_table(
            table.number,
            table.region,
            table.name,
            {"description": table.description, "settings": table.settings},
        )

    # -- tables --------------------------------------------------------------------------------------------

    def create(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateTable; the answer says CREATING, the table is ACTIVE when it is asked for."""
        table_checks.check_emulated(request)
        name = request["TableName"]
        table_checks.check_name(name)
        table_checks.check_new_table(request)
        table_checks.check_tags(request.get("Tags") or ())
        with self.lock:
            if (region, name) in self._tables:
                raise DynamoError("ResourceInUseException", f"Table already exists: {name}")
            table = self._make(region, name, request)
            self._update_stream(table, request)
            self._tables[region, name] = table
            self.keep(table)
        return {"TableDescription": self._described(table, "CREATING")}

    def _make(self, region: str, name: str, request: Mapping[str, Any]) -> Table:
        arn = f"arn:aws:dynamodb:{region}:{self._account}:table/{name}"
        description: dict[str, Any] = {
            "AttributeDefinitions": request["AttributeDefinitions"],
            "TableName": name,
            "KeySchema": request["KeySchema"],
            "CreationDateTime": round(time.time(), 3),
            "TableArn": arn,
            "TableId": str(uuid.uuid4()),
            "DeletionProtectionEnabled": bool(request.get("DeletionProtectionEnabled")),
            "WarmThroughput": _WARM,
        }
        descriptions.set_billing(
            description, request.get("BillingMode", "PROVISIONED"), request.get("ProvisionedThroughput")
        )
        descriptions.set_rest(description, request)
        numbers: dict[str, int] = {}
        for group in (LOCAL, GLOBAL):
            if request.get(group):
                description[group] = [
                    self._index(arn, each, numbers, is_global=group == GLOBAL) for each in request[group]
                ]
        settings = {
            "numbers": numbers,
            "tags": {each["Key"]: each["Value"] for each in request.get("Tags") or ()},
        }
        return Table(self._storage.next_number(), region, description, settings)

    def _index(
        self, arn: str, asked: Mapping[str, Any], numbers: dict[str, int], *, is_global: bool
    ) -> dict[str, Any]:
        numbers[asked["IndexName"]] = self._storage.next_number()
        index = {
            "IndexName": asked["IndexName"],
            "KeySchema": asked["KeySchema"],
            "Projection": asked["Projection"],
            "IndexArn": f"{arn}/index/{asked['IndexName']}",
        }
        if is_global:
            index |= {
                "ProvisionedThroughput": descriptions.throughput(asked.get("ProvisionedThroughput")),
                "WarmThroughput": _WARM,
            }
        return index

    def describe(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeTable."""
        return {"Table": self._described(self.named(region, request["TableName"]), "ACTIVE")}

    def _described(self, table: Table, status: str) -> dict[str, Any]:
        count, size = self._storage.measure(table.number)
        told = {**table.description, "TableStatus": status, "ItemCount": count, "TableSizeBytes": size}
        for group in (LOCAL, GLOBAL):
            if group in told:
                told[group] = [self._index_described(table, each, group, status) for each in told[group]]
        return told

    def _index_described(
        self, table: Table, index: Mapping[str, Any], group: str, status: str
    ) -> dict[str, Any]:
        count, size = self._storage.measure_index(table.settings["numbers"][index["IndexName"]])
        told = {**index, "ItemCount": count, "IndexSizeBytes": size}
        return told | (
            {"IndexStatus": "CREATING" if status == "CREATING" else "ACTIVE"} if group == GLOBAL else {}
        )

    def list_tables(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListTables, by name."""
        start, limit = request.get("ExclusiveStartTableName", ""), request.get("Limit", 100)
        with self.lock:
            names = sorted(name for where, name in self._tables if where == region and name > start)
        answer: dict[str, Any] = {"TableNames": names[:limit]}
        return answer | ({"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {})

    def delete(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteTable; the answer says DELETING, and the table is gone."""
        with self.lock:
            bare = self._bare(region, request["TableName"])
            table = self._tables.get((region, bare))
            if table is None:
                raise no_table(bare)
            if table.description["DeletionProtectionEnabled"]:
                raise invalid(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            told = {
                name: each for name, each in self._described(table, "DELETING").items() if name in _DELETED
            }
            if "StreamSpecification" in table.description:
                close_stream(self._storage, table)
            self._storage.drop_table(table.number, [index.number for index in table.indexes.values()])
            del self._tables[region, bare]
        return {"TableDescription": told}

    # -- changing ------------------------------------------------------------------------------------------

    def update(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateTable; the answer says UPDATING, the change is made when it comes."""
        table_checks.check_emulated(request)
        if not any(request.get(name) is not None for name in _UPDATES):
            raise invalid(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
            )
        with self.lock:
            table = self.named(region, request["TableName"])
            self._set_capacity(table, request)
            descriptions.set_rest(table.description, request)
            if request.get("DeletionProtectionEnabled") is not None:
                table.description["DeletionProtectionEnabled"] = request["DeletionProtectionEnabled"]
            self._update_stream(table, request)
            self._update_indexes(table, request)
            self.keep(table)
        return {"TableDescription": self._described(table, "UPDATING")}

    def _update_stream(self, table: Table, request: Mapping[str, Any]) -> None:
        wanted = request.get("StreamSpecification")
        if wanted is None:
            return
        is_on, view = "StreamSpecification" in table.description, wanted.get("StreamViewType")
        if not wanted["StreamEnabled"]:
            if view is not None:
                raise invalid_parameter("StreamViewType cannot be specified when the stream is disabled")
            if not is_on and (table.region, table.name) in self._tables:
                raise invalid(f"Table has no enabled stream to disable: TableName: {table.name}")
            if is_on:
                close_stream(self._storage, table)
            return
        if view is None:
            raise invalid_parameter("StreamViewType must be specified when the stream is enabled")
        if is_on:
            raise invalid(f"Table already has an enabled stream: TableName: {table.name}")
        open_stream(self._storage, table, view)

    @staticmethod
    def _set_capacity(table: Table, request: Mapping[str, Any]) -> None:
        was = "PROVISIONED" if "BillingModeSummary" not in table.description else "PAY_PER_REQUEST"
        mode, throughput = request.get("BillingMode"), request.get("ProvisionedThroughput")
        if mode is None and throughput is None:
            return
        table_checks.check_billing(mode or was, throughput)
        if mode in (None, was) and throughput is not None:
            old = table.description["ProvisionedThroughput"]
            units = ("ReadCapacityUnits", "WriteCapacityUnits")
            if all(old[name] == throughput[name] for name in units):
                raise invalid(
                    "The provisioned throughput for the table will not change. The requested value equals the current "
                    f"value. Current ReadCapacityUnits provisioned for the table: {old[units[0]]}. "
                    f"Requested ReadCapacityUnits: {throughput[units[0]]}. Current WriteCapacityUnits provisioned for "
                    f"the table: {old[units[1]]}. Requested WriteCapacityUnits: {throughput[units[1]]}. "
                    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
                )
        descriptions.set_billing(table.description, mode or was, throughput)

    def _update_indexes(self, table: Table, request: Mapping[str, Any]) -> None:
        updates = request.get("GlobalSecondaryIndexUpdates")
        if updates is None:
            return
        if not updates:
            raise invalid_parameter("GlobalSecondaryIndexUpdates is empty")
        if len(updates) > 1:
            raise DynamoError(
                "LimitExceededException",
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
            )
        given = [
            (kind, asked) for kind, asked in updates[0].items() if kind in ("Create", "Update", "Delete")
        ]
        if len(given) != 1:
            raise invalid_parameter(
                "Only one of the GlobalSecondaryIndexUpdate's Create, Update and Delete is allowed at a time, "
                "and one is needed"
            )
        ((kind, asked),) = given
        if kind == "Create":
            self._create_index(table, asked, request)
        elif kind == "Delete":
            self._delete_index(table, asked["IndexName"])
        else:
            descriptions.global_index(table, asked["IndexName"])["ProvisionedThroughput"] = (
                descriptions.throughput(asked.get("ProvisionedThroughput"))
            )

    def _create_index(self, table: Table, asked: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        name = asked["IndexName"]
        table_checks.check_name(name, "indexName")
        if name in table.indexes:
            raise invalid(f"Attempting to create an index which already exists: {name}")
        table_checks.check_projection(asked)
        on_demand = "BillingModeSummary" in table.description
        table_checks.check_global(asked, "PAY_PER_REQUEST" if on_demand else "PROVISIONED")
        definitions = self._definitions(table, asked, request.get("AttributeDefinitions"))
        described = self._index(table.arn, asked, table.settings["numbers"], is_global=True)
        table.description["AttributeDefinitions"] = definitions
        table.description[GLOBAL] = [*table.description.get(GLOBAL, ()), described]
        table.read()
        self._backfill(table, table.indexes[name])

    @staticmethod
    def _definitions(
        table: Table, asked: Mapping[str, Any], given: list[dict[str, str]] | None
    ) -> list[dict[str, str]]:
        known = {each["AttributeName"]: each for each in table.description["AttributeDefinitions"]}
        for each in given or ():
            held = known.get(each["AttributeName"])
            if held is not None and held != each:
                raise invalid_parameter(
                    f"AttributeDefinitions: the type of {each['AttributeName']} can't be redefined"
                )
            known[each["AttributeName"]] = each
        new = [each["AttributeName"] for each in asked["KeySchema"]]
        table_checks.check_definitions(given or [], new, all_used=False)
        table_checks.check_definitions(list(known.values()), [*_key_names(table), *new])
        return list(known.values())

    def _backfill(self, table: Table, index: Index) -> None:
        behind: Position | None = None
        while rows := self._storage.read_segment(
            table.source, Segment(), behind, Bounds(_BACKFILLED_AT_ONCE, 1 << 24)
        ):
            with self._storage.transaction():
                for row in rows:
                    if index.key.is_in(row.item):
                        entry = index.key.place_of(row.item)
                        self._storage.put_entry(index.number, entry, table.number, row.place)
            behind = Position(rows[-1].place, rows[-1].place)

    def _delete_index(self, table: Table, name: str) -> None:
        described = descriptions.global_index(table, name)
        number = table.settings["numbers"].pop(name)
        left = [each for each in table.description[GLOBAL] if each is not described]
        table.description[GLOBAL] = left
        if not left:
            del table.description[GLOBAL]
        used = _key_names(table)
        table.description["AttributeDefinitions"] = [
            each for each in table.description["AttributeDefinitions"] if each["AttributeName"] in used
        ]
        table.read()
        self._storage.drop_index(number)


def _key_names(table: Table) -> list[str]:
    """The attributes that are in the keys of a table and its indexes."""
    indexes = [each for group in (LOCAL, GLOBAL) for each in table.description.get(group, ())]
    return [part["AttributeName"] for each in (table.description, *indexes) for part in each["KeySchema"]]
