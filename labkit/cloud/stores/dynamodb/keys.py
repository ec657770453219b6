"""Keys: the attributes that find an item, and the bytes by which it is sorted.

What belongs here: key schemas, checks of key attributes, their order-preserving form. What does not: where rows lie
(storage), a table's other settings (tables).

AWS: developer guide, "Core components", "Service quotas" (2,048 bytes of partition key, 1,024 of sort key).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from labkit.cloud.stores.dynamodb.errors import ItemError
from labkit.cloud.stores.dynamodb.values import Item, Value, decoded, kind_of

MISMATCH = "The provided key element does not match the schema"
_LIMITS = {
    "HASH": (2048, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    "RANGE": (1024, "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"),
}
_EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
    "empty {kind} value. Key: {name}"
)
_EMPTY_IN_INDEX = (
    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
    "The AttributeValue for a key attribute cannot contain an empty {kind} value. IndexName: {index}, "
    "IndexKey: {name}"
)


@dataclass(frozen=True)
class KeyAttribute:
    """One key attribute: its name, its type (S, N, B), and its role (HASH, RANGE)."""

    name: str
    kind: str
    role: str

    def fits(self, value: Value) -> bool:
        """Whether a value has the type, and is neither empty nor too long."""
        kind = kind_of(value)
        return kind == self.kind and (kind == "N" or 0 < len(sortable(value)) <= _LIMITS[self.role][0])


@dataclass(frozen=True)
class Place:
    """Where a row lies: a hash of the partition key, and both keys in their sorting form."""

    hash: int
    partition: bytes
    sort: bytes


@dataclass(frozen=True)
class KeySchema:
    """The key of a table or an index: partition key attributes, then sort key attributes."""

    partition: tuple[KeyAttribute, ...]
    sort: tuple[KeyAttribute, ...] = ()

    @property
    def attributes(self) -> tuple[KeyAttribute, ...]:
        """All of them, partition key first."""
        return self.partition + self.sort

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(each.name for each in self.attributes)

    def key_of(self, item: Item) -> dict[str, Value]:
        """The key attributes of an item that has them."""
        return {name: item[name] for name in self.names}

    def is_in(self, item: Item) -> bool:
        """Whether the item has every key attribute as it must be: whether an index holds it."""
        return all(each.name in item and each.fits(item[each.name]) for each in self.attributes)

    def place_of(self, item: Mapping[str, Value]) -> Place:
        """Where an item with these attributes lies."""
        partition = b"".join(_bounded(sortable(item[each.name]), self.partition) for each in self.partition)
        sort = b"".join(_bounded(sortable(item[each.name]), self.sort) for each in self.sort)
        return Place(hash_of(partition), partition, sort)


def _bounded(data: bytes, attributes: tuple[KeyAttribute, ...]) -> bytes:
    """A part that sorts right before others: its end is told where more than one part follows each other."""
    return data if len(attributes) == 1 else data.replace(b"\0", b"\0\xff") + b"\0\0"


def sortable(value: Value) -> bytes:
    """Bytes that sort as the values of one key type do."""
    ((kind, content),) = value.items()
    if kind == "S":
        return bytes(content.encode())
    return sortable_number(content) if kind == "N" else decoded(content)


def sortable_number(text: str) -> bytes:
    """A number's sign, exponent and digits; those of negative numbers are turned round."""
    sign, digits, exponent = Decimal(text).as_tuple()
    bare = "".join(map(str, digits)).strip("0")
    if not bare:
        return b"\x80"
    assert isinstance(exponent, int)
    first = exponent + len(digits) + 500
    body = first.to_bytes(2, "big") + bare.encode()
    return b"\xc0" + body if not sign else b"\x40" + bytes(255 - each for each in body) + b"\xff"


def hash_of(partition: bytes) -> int:
    """63 bits by which partitions are spread; a Scan goes through them in this order."""
    return int.from_bytes(hashlib.blake2b(partition, digest_size=8).digest(), "big") >> 1


def check_key(schema: KeySchema, key: Any) -> None:
    """Raise DynamoError unless `key` is exactly a key of this schema."""
    if len(key) != len(schema.attributes) or any(
        each.name not in key or kind_of(key[each.name]) != each.kind for each in schema.attributes
    ):
        raise ItemError(MISMATCH)
    for each in schema.attributes:
        _check_size(each, key[each.name])


def check_item_key(schema: KeySchema, item: Item) -> None:
    """Raise DynamoError unless the item has this key."""
    for each in schema.attributes:
        if each.name not in item:
            raise _wrong(f"Missing the key {each.name} in the item")
        kind = kind_of(item[each.name])
        if kind != each.kind:
            raise _wrong(f"Type mismatch for key {each.name} expected: {each.kind} actual: {kind}")
        _check_size(each, item[each.name])


def check_index_key(schema: KeySchema, index: str, item: Item) -> None:
    """Raise DynamoError when an attribute that is a key of an index has another type, or is empty."""
    for each in schema.attributes:
        value = item.get(each.name)
        if value is None:
            continue
        kind = kind_of(value)
        if kind != each.kind:
            raise _wrong(
                f"Type mismatch for Index Key {each.name} Expected: {each.kind} Actual: {kind} IndexName: {index}"
            )
        if kind in _EMPTY_KINDS and not value[kind]:
            words = _EMPTY_IN_INDEX.format(kind=_EMPTY_KINDS[kind], index=index, name=each.name)
            raise ItemError(words)
        _check_limit(each, value)


_EMPTY_KINDS = {"S": "string", "B": "binary"}


def _check_size(attribute: KeyAttribute, value: Value) -> None:
    kind = kind_of(value)
    if kind in _EMPTY_KINDS and not value[kind]:
        raise ItemError(_EMPTY.format(kind=_EMPTY_KINDS[kind], name=attribute.name))
    _check_limit(attribute, value)


def _check_limit(attribute: KeyAttribute, value: Value) -> None:
    limit, words = _LIMITS[attribute.role]
    if len(sortable(value)) > limit:
        raise _wrong(words)


def _wrong(words: str) -> ItemError:
    return ItemError(f"One or more parameter values were invalid: {words}")
