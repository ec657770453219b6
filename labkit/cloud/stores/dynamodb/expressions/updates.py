"""Updates of one item: UpdateExpression.

What belongs here: turning clauses into the changes of an item. What does not: the grammar (syntax), conditions.

AWS: developer guide, "Update expressions".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, invalid_parameter
from labkit.cloud.stores.dynamodb.expressions.binding import Binding, Place
from labkit.cloud.stores.dynamodb.expressions.paths import REMOVED, changed, check_overlaps, find
from labkit.cloud.stores.dynamodb.expressions.syntax import parse_update
from labkit.cloud.stores.dynamodb.expressions.trees import Call, Clause, Operand, Path, Placeholder, Sum
from labkit.cloud.stores.dynamodb.keys import KeySchema
from labkit.cloud.stores.dynamodb.values import SETS, Item, Value, add, joined, kind_of

KIND = "UpdateExpression"
_ABSENT = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@dataclass(frozen=True)
class Update:
    """What an update makes of an item, the paths that it names, and whether it makes one that is not there.

    `change` raises DynamoError where the item is not as the update wants it.
    """

    change: Callable[[Item], dict[str, Value]] = dict
    places: tuple[Place, ...] = ()
    creates: bool = True


#: what a clause makes of the item at its path; None changes nothing
Change = Callable[[Item], Value | None]


def make_update(text: str, binding: Binding, key: KeySchema) -> Update:
    """The update that an expression is. Raises DynamoError."""
    clauses = parse_update(KIND, text)
    places = [binding.place(KIND, clause.path) for clause in clauses]
    changes = [
        (place, _change_of(clause, place, binding)) for place, clause in zip(places, clauses, strict=True)
    ]
    check_overlaps(KIND, places)
    for place in places:
        if place[0] in key.names:
            raise invalid_parameter(f"Cannot update attribute {place[0]}. This attribute is part of the key")

    creates = any(clause.section in ("SET", "ADD") for clause in clauses)
    return Update(lambda item: apply(item, changes), tuple(places), creates)


def apply(item: Item, changes: Sequence[tuple[Place, Change]]) -> dict[str, Value]:
    """The item with each path's value replaced by what is made of the item for it."""
    made = [(place, change(item)) for place, change in changes]
    return changed(item, [(place, value) for place, value in made if value is not None])


def _change_of(clause: Clause, place: Place, binding: Binding) -> Change:
    if clause.operand is None:
        return lambda item: REMOVED
    if clause.section == "SET":
        return _operand(clause.operand, binding)
    assert isinstance(clause.operand, Placeholder)  # as the grammar has it
    value = binding.value(KIND, clause.operand)
    kind = kind_of(value)
    if kind not in SETS and (kind != "N" or clause.section == "DELETE"):
        raise _wrong_operand(clause.section, value)
    make = add_to if clause.section == "ADD" else delete_from
    return lambda item: make(find(item, place), value)


def add_to(held: Value | None, value: Value) -> Value:
    """What ADD makes of what is there: a sum, or a set with more members."""
    kind = kind_of(value)
    if held is None:
        return value
    if kind_of(held) != kind:
        raise invalid(_WRONG_TYPE)
    return {"N": add(held["N"], value["N"])} if kind == "N" else {kind: joined(held[kind], value[kind])}


def delete_from(held: Value | None, value: Value) -> Value | None:
    """What DELETE leaves of a set; an empty one is no attribute any more. None: there is nothing to change."""
    kind = kind_of(value)
    if held is None:
        return None
    if kind_of(held) != kind:
        raise invalid(_WRONG_TYPE)
    left = [each for each in held[kind] if each not in value[kind]]
    return {kind: left} if left else REMOVED


def _operand(operand: Operand, binding: Binding) -> Callable[[Item], Value]:
    if isinstance(operand, Path):
        return _reader(binding.place(KIND, operand))
    if isinstance(operand, Placeholder):
        value = binding.value(KIND, operand)
        return lambda item: value
    if isinstance(operand, Sum):
        return _sum(operand, binding)
    return _FUNCTIONS[operand.function](operand, binding)


def _reader(place: Place) -> Callable[[Item], Value]:
    def read(item: Item) -> Value:
        found = find(item, place)
        if found is None:
            raise invalid(_ABSENT)
        return found

    return read


def _sum(operand: Sum, binding: Binding) -> Callable[[Item], Value]:
    _check_literals(operand.operator, (operand.left, operand.right), "N", binding)
    left, right = _operand(operand.left, binding), _operand(operand.right, binding)
    sign = 1 if operand.operator == "+" else -1

    def total(item: Item) -> Value:
        one, other = left(item), right(item)
        if "N" not in one or "N" not in other:
            raise invalid(_WRONG_TYPE)
        return {"N": add(one["N"], other["N"], sign)}

    return total


def _if_not_exists(call: Call, binding: Binding) -> Callable[[Item], Value]:
    path, otherwise = call.operands
    if not isinstance(path, Path):
        words = "Operator or function requires a document path; operator or function:"
        raise invalid(f"Invalid {KIND}: {words} {call.function}")
    place, default = binding.place(KIND, path), _operand(otherwise, binding)

    def read(item: Item) -> Value:
        found = find(item, place)
        return default(item) if found is None else found

    return read


def _list_append(call: Call, binding: Binding) -> Callable[[Item], Value]:
    _check_literals(call.function, call.operands, "L", binding)
    left, right = (_operand(each, binding) for each in call.operands)

    def append(item: Item) -> Value:
        one, other = left(item), right(item)
        if "L" not in one or "L" not in other:
            raise invalid(_WRONG_TYPE)
        return {"L": [*one["L"], *other["L"]]}

    return append


_FUNCTIONS: dict[str, Callable[[Call, Binding], Callable[[Item], Value]]] = {
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


def _check_literals(what: str, operands: Sequence[Operand], kind: str, binding: Binding) -> None:
    for operand in operands:
        if isinstance(operand, Placeholder):
            value = binding.value(KIND, operand)
            if kind_of(value) != kind:
                raise _wrong_operand(what, value)


def _wrong_operand(what: str, value: Value) -> DynamoError:
    words = f"Incorrect operand type for operator or function; operator: {what}"
    return invalid(f"Invalid {KIND}: {words}, operand type: {_NAMES[kind_of(value)]}")


_NAMES = {
    "S": "STRING", "N": "NUMBER", "B": "BINARY", "SS": "STRING_SET", "NS": "NUMBER_SET", "BS": "BINARY_SET",
    "L": "LIST", "M": "MAP", "BOOL": "BOOLEAN", "NULL": "NULL",
}  # fmt: skip
