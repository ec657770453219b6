"""Document paths: what lies at one, and two that get in each other's way.

What belongs here: reading and changing nested lists and maps by a path. What does not: expressions.

AWS: developer guide, "Specifying item attributes", "Update expressions".
"""

import itertools
from collections.abc import Sequence
from typing import Any

from labkit.cloud.stores.dynamodb.errors import invalid
from labkit.cloud.stores.dynamodb.expressions.binding import Place
from labkit.cloud.stores.dynamodb.values import Item, Value

_NO_PATH = "The document path provided in the update expression is invalid for update"


def find(item: Item, place: Place) -> Value | None:
    """The value at a path, None where there is none."""
    value: Value | None = item.get(str(place[0]))
    for element in place[1:]:
        if value is None:
            return None
        value = _member(value, element)
    return value


def _member(value: Value, element: str | int) -> Value | None:
    if isinstance(element, str):
        members = value.get("M")
        return members.get(element) if members is not None else None
    members = value.get("L")
    return members[element] if members is not None and element < len(members) else None


def text_of(place: Place) -> str:
    """A path as AWS's messages show it: [a, b, [1]]."""
    return f"[{', '.join(f'[{each}]' if isinstance(each, int) else each for each in place)}]"


def check_overlaps(kind: str, places: Sequence[Place]) -> None:
    """Raise DynamoError when one path is, holds, or contradicts the type of another."""
    for one, other in itertools.combinations(places, 2):
        _check_pair(kind, one, other)


def _check_pair(kind: str, one: Place, other: Place) -> None:
    for mine, its in zip(one, other, strict=False):
        if mine == its:
            continue
        if isinstance(mine, int) != isinstance(its, int):
            raise _clash(kind, "conflict", one, other)
        return
    raise _clash(kind, "overlap", one, other)


def _clash(kind: str, verb: str, one: Place, other: Place) -> Exception:
    return invalid(
        f"Invalid {kind}: Two document paths {verb} with each other; must remove or rewrite one of these paths; "
        f"path one: {text_of(one)}, path two: {text_of(other)}"
    )


#: in place of a value: take away what is there
REMOVED: Value = {}


def changed(item: Item, changes: Sequence[tuple[Place, Value]]) -> dict[str, Value]:
    """The item with all changes made at once: paths are those of before, whatever else changes.

    A list index behind the end means its end. Raises DynamoError where the way to a path is not there.
    """
    after = dict(item)
    for name in {place[0] for place, _ in changes if len(place) > 1}:
        if name in after:
            after[str(name)] = _copied(after[str(name)])
    for place, value in sorted(changes, key=_last_index):
        _change(_members(after, place), place[-1], value)
    for name in {place[0] for place, value in changes if value is REMOVED and len(place) > 1}:
        _sweep(after[str(name)])
    return {name: value for name, value in after.items() if value is not REMOVED}


def _copied(value: Value) -> Value:
    ((kind, content),) = value.items()
    if kind == "L":
        return {"L": [_copied(each) for each in content]}
    return {"M": {name: _copied(each) for name, each in content.items()}} if kind == "M" else value


def _last_index(change: tuple[Place, Value]) -> int:
    """What is added behind a list's end is added in the order of its indexes."""
    last = change[0][-1]
    return last if isinstance(last, int) else -1


def _members(item: dict[str, Value], place: Place) -> Any:
    """The dict or list of which the path's last element names a member."""
    members: Any = item
    for element, following in itertools.pairwise(place):
        known = members.get(element) if isinstance(element, str) else dict(enumerate(members)).get(element)
        inside = (known or {}).get("L" if isinstance(following, int) else "M")
        if inside is None:
            raise invalid(_NO_PATH)
        members = inside
    return members


def _change(members: Any, last: str | int, value: Value) -> None:
    if isinstance(last, int) and last >= len(members):
        if value is not REMOVED:
            members.append(value)
    elif value is not REMOVED or isinstance(last, int) or last in members:
        members[last] = value


def _sweep(value: Value) -> None:
    """Close the gaps that removed members have left."""
    if "L" in value:
        value["L"][:] = [each for each in value["L"] if each is not REMOVED]
    for name in [name for name, each in value.get("M", {}).items() if each is REMOVED]:
        del value["M"][name]
    for each in value.get("L") or list(value.get("M", {}).values()):
        _sweep(each)
