"""What of an item a request wants to see: ProjectionExpression and AttributesToGet.

What belongs here: picking parts of an item. What does not: which items.

AWS: developer guide, "Projection expressions".
"""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.cloud.stores.dynamodb.expressions.binding import Binding, Place
from labkit.cloud.stores.dynamodb.expressions.paths import check_overlaps, find
from labkit.cloud.stores.dynamodb.expressions.syntax import parse_projection
from labkit.cloud.stores.dynamodb.values import Item, Value

KIND = "ProjectionExpression"
Projection = Callable[[Item], Item]


def make_projection(text: str, binding: Binding) -> tuple[Projection, Sequence[Place]]:
    """The projection that an expression is, and its paths. Raises DynamoError."""
    places = [binding.place(KIND, path) for path in parse_projection(KIND, text)]
    check_overlaps(KIND, places)
    if all(len(place) == 1 for place in places):
        return pick([str(place[0]) for place in places]), places
    return (lambda item: project(item, places)), places


def pick(names: Sequence[str]) -> Projection:
    """The projection to whole attributes."""
    wanted = dict.fromkeys(names)
    return lambda item: {name: item[name] for name in wanted if name in item}


def project(item: Item, places: Sequence[Place]) -> Item:
    """The parts of an item at these paths; nested ones keep their way: a[2].b is a list of one map of one member."""
    tree: dict[Any, Any] = {}
    for place in places:
        value = find(item, place)
        if value is not None:
            _grow(tree, place, value)
    return {name: _value(branch) for name, branch in tree.items()}


class _Leaf:
    """A value that was asked for, as a whole."""

    def __init__(self, value: Value) -> None:
        self.value = value


def _grow(tree: dict[Any, Any], place: Place, value: Value) -> None:
    for element in place[:-1]:
        tree = tree.setdefault(element, {})
    tree[place[-1]] = _Leaf(value)


def _value(branch: Any) -> Value:
    if isinstance(branch, _Leaf):
        return branch.value
    if isinstance(next(iter(branch)), int):
        return {"L": [_value(branch[index]) for index in sorted(branch)]}
    return {"M": {name: _value(each) for name, each in branch.items()}}
