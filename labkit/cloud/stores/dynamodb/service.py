"""DynamoDB's operations: the request's JSON in, the answer's out.

What belongs here: which operation is which function, and which are not there. What does not: the functions; HTTP.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from labkit.cloud.stores.dynamodb import batches, items, queries, transactions
from labkit.cloud.stores.dynamodb.errors import DynamoError, not_emulated
from labkit.cloud.stores.dynamodb.shapes import check_shape, description
from labkit.cloud.stores.dynamodb.storage import Storage
from labkit.cloud.stores.dynamodb.tables.control import Tables
from labkit.cloud.stores.dynamodb.tables.expiry import Expiry
from labkit.cloud.stores.dynamodb.tables.schema import Table
from labkit.cloud.stores.dynamodb.tables.settings import Settings
from labkit.cloud.stores.dynamodb.tables.streams import Streams

Answer = dict[str, Any]


class DynamoDB:
    """All tables of an account. `close()` lets go of the file. For any thread."""

    def __init__(self, account: str, path: Path | None = None) -> None:
        """`account` is the account's number; `path` the database's file, None for memory."""
        self._storage = Storage(path)
        self.tables = Tables(self._storage, account)
        self._tokens = transactions.Tokens()
        self._expiry = Expiry(self._storage, self.tables)
        tables, settings, streams = self.tables, Settings(self.tables), Streams(self._storage)
        self._of_tables: Mapping[str, Callable[[str, Mapping[str, Any]], Answer]] = {
            "CreateTable": tables.create, "DescribeTable": tables.describe, "UpdateTable": tables.update,
            "DeleteTable": tables.delete, "ListTables": tables.list_tables, "DescribeTimeToLive": settings.describe_ttl,
            "UpdateTimeToLive": settings.update_ttl, "DescribeContinuousBackups": settings.describe_backups,
            "UpdateContinuousBackups": settings.update_backups, "TagResource": settings.tag,
            "UntagResource": settings.untag, "ListTagsOfResource": settings.list_tags,
            "ListStreams": streams.list_streams, "DescribeStream": streams.describe_stream,
            "GetShardIterator": streams.get_shard_iterator, "GetRecords": streams.get_records,
            "DescribeLimits": _describe_limits, "DescribeEndpoints": _describe_endpoints,
        }  # fmt: skip
        self._of_many: Mapping[str, Callable[..., Answer]] = {
            "BatchGetItem": batches.batch_get_item,
            "BatchWriteItem": batches.batch_write_item,
            "TransactGetItems": transactions.transact_get_items,
            "TransactWriteItems": partial(transactions.transact_write_items, tokens=self._tokens),
        }

    def partition_key(self, region: str, table: str) -> str | None:
        """The name of a table's partition key, where there is such a table; `table` is its name or ARN."""
        return self.tables.partition_key(region, table)

    def operations(self) -> list[str]:
        """The operations that work here, by AWS's names."""
        return sorted({*self._of_tables, *self._of_many, *_OF_ITEMS})

    def close(self) -> None:
        """Let go of the file."""
        self._storage.close()

    def answer(self, operation: str, region: str, request: Mapping[str, Any]) -> Answer:
        """What the operation answers. Raises DynamoError."""
        in_tables, of_many, of_items = (
            self._of_tables.get(operation),
            self._of_many.get(operation),
            _OF_ITEMS.get(operation),
        )
        if in_tables is None and of_many is None and of_items is None:
            raise _lacking(operation)
        request = {name: value for name, value in request.items() if value is not None}
        check_shape(operation, request)
        try:
            if in_tables is not None:
                return in_tables(region, request)
            self._expiry.run()
            if of_many is not None:
                return of_many(self._storage, partial(self.tables.find, region), request)
            assert of_items is not None  # one of the three
            return of_items(self._storage, self.tables.find(region, request["TableName"]), request)
        except UnicodeEncodeError:
            raise DynamoError("SerializationException", "A text of the request is no Unicode.") from None


_OF_ITEMS: Mapping[str, Callable[[Storage, Table, Mapping[str, Any]], Answer]] = {
    "GetItem": items.get_item,
    "PutItem": items.put_item,
    "UpdateItem": items.update_item,
    "DeleteItem": items.delete_item,
    "Query": queries.query,
    "Scan": queries.scan,
}


def _describe_limits(region: str, request: Mapping[str, Any]) -> Answer:
    most = {"AccountMax": 80_000, "TableMax": 40_000}
    return {f"{name}{kind}CapacityUnits": units for name, units in most.items() for kind in ("Read", "Write")}


def _describe_endpoints(region: str, request: Mapping[str, Any]) -> Answer:
    return {"Endpoints": [{"Address": f"dynamodb.{region}.amazonaws.com", "CachePeriodInMinutes": 1440}]}


def _lacking(operation: str) -> DynamoError:
    """AWS has the operation and the local cloud lacks it, or nobody has it."""
    if operation in description("dynamodb")["operations"]:
        return not_emulated(f"{operation} of DynamoDB")
    return DynamoError("UnknownOperationException", "")
