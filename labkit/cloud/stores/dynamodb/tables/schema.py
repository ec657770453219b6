"""What a table is: its keys, its indexes and its settings, read from its description.

What belongs here: the record, made from and kept as the JSON of DescribeTable. What does not: what may be asked of a
table (control), its items.

AWS: API reference, TableDescription, SecondaryIndex descriptions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.cloud.stores.dynamodb.expressions.projections import pick
from labkit.cloud.stores.dynamodb.keys import KeyAttribute, KeySchema
from labkit.cloud.stores.dynamodb.storage import Source
from labkit.cloud.stores.dynamodb.values import Item

LOCAL, GLOBAL = "LocalSecondaryIndexes", "GlobalSecondaryIndexes"


@dataclass(frozen=True)
class Index:
    """A secondary index: `names` are the attributes that it holds, None for all."""

    number: int
    name: str
    key: KeySchema
    is_global: bool
    names: tuple[str, ...] | None

    def shown(self, item: Item) -> Item:
        """What the index holds of an item."""
        return item if self.names is None else pick(self.names)(item)


@dataclass
class Table:
    """One table. `description` is what DescribeTable says, without counts; `settings` is what else is set."""

    number: int
    region: str
    description: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    key: KeySchema = field(init=False)
    indexes: Mapping[str, Index] = field(init=False)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Take keys and indexes from the description, after a change of it."""
        kinds = {
            each["AttributeName"]: each["AttributeType"] for each in self.description["AttributeDefinitions"]
        }
        self.key = key_schema(self.description["KeySchema"], kinds)
        self.indexes = {
            each["IndexName"]: self._index(each, kinds, group == GLOBAL)
            for group in (LOCAL, GLOBAL)
            for each in self.description.get(group, ())
        }

    def _index(self, described: Mapping[str, Any], kinds: Mapping[str, str], is_global: bool) -> Index:
        key, projection = key_schema(described["KeySchema"], kinds), described["Projection"]
        names: tuple[str, ...] | None = None
        if projection["ProjectionType"] != "ALL":
            own = (*self.key.names, *key.names, *projection.get("NonKeyAttributes", ()))
            names = tuple(dict.fromkeys(own))
        number = self.settings["numbers"][described["IndexName"]]
        return Index(number, described["IndexName"], key, is_global, names)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.description["TableName"])

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.description["TableArn"])

    @property
    def source(self) -> Source:
        """Where its items lie."""
        return Source(self.number)


def key_schema(elements: Sequence[Mapping[str, str]], kinds: Mapping[str, str]) -> KeySchema:
    """The key that a request's or description's KeySchema means."""
    attributes = [
        KeyAttribute(each["AttributeName"], kinds[each["AttributeName"]], each["KeyType"])
        for each in elements
    ]
    return KeySchema(
        tuple(each for each in attributes if each.role == "HASH"),
        tuple(each for each in attributes if each.role == "RANGE"),
    )
