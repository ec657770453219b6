"""A client meets no half-done work of another."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from labkit.cloud.moto_seam.backends import backend


class Pausing(defaultdict[str, Any]):
    """A table's items; whoever goes through them pauses after the first, until another was put or can't be."""

    def __init__(self, items: Any) -> None:
        super().__init__(dict, items)
        self.entered, self.put = threading.Event(), threading.Event()

    def values(self) -> Iterator[Any]:  # type: ignore[override]
        for item in super().values():
            yield item
            self.entered.set()
            self.put.wait(0.2)


def test_a_scan_beside_a_writer_sees_a_whole_table(moto, refusal):
    """DynamoDB API reference, Scan: items may come and go meanwhile; that is no InternalServerError."""

    def scenario(aws):
        dynamodb = aws.client("dynamodb")
        dynamodb.create_table(
            TableName="rows", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        dynamodb.put_item(TableName="rows", Item={"id": {"S": "first"}})
        table = backend("dynamodb", "ap-south-1").tables["rows"]
        table.items = Pausing(table.items)
        said: list[str] = []
        scanning = threading.Thread(target=lambda: said.append(refusal(dynamodb.scan, TableName="rows")))
        scanning.start()
        assert table.items.entered.wait(10)
        dynamodb.put_item(TableName="rows", Item={"id": {"S": "second"}})
        table.items.put.set()
        scanning.join()
        return said

    plain, corrected = moto.compare(scenario)
    assert plain != [""], "moto bears two threads now: this correction can go"
    assert corrected == [""]
