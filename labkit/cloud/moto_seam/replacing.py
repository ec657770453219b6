"""Putting functions of ours in the place of moto's, and taking them back.

What belongs here: the mechanism. What does not: any knowledge of what is replaced.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from labkit.base.errors import CloudError

_ABSENT = object()
Replacement = TypeVar("Replacement", bound=Callable[..., Any])


class Replacements:
    """The names of moto that now mean something of ours; `undo` restores every one."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Make `owner.name` mean `value`.

        Raises CloudError when the owner itself (not a base class) has no such name: moto has changed.
        """
        self._originals.append((owner, name, _present(owner, name)))
        setattr(owner, name, value)

    def add(self, owner: Any, name: str, value: Any) -> None:
        """Make `owner.name` mean `value` where the owner has no such name. Raises CloudError where it has one."""
        if name in vars(owner):
            raise CloudError(
                f"moto has {owner.__qualname__}.{name} by now.",
                hint="Install the versions of the lock file: make setup",
            )
        self._originals.append((owner, name, _ABSENT))
        setattr(owner, name, value)

    def around(self, owner: Any, name: str) -> Callable[[Replacement], Replacement]:
        """Decorate a function that stands in for the method or property `owner.name`.

        It is called with the original function before the caller's own arguments.
        """

        def install(function: Replacement) -> Replacement:
            original = _present(owner, name)
            if isinstance(original, property):
                self.put(owner, name, _around_property(function, original))
            else:
                self.put(owner, name, _around_function(function, original))
            return function

        return install

    def undo(self) -> None:
        """Give moto its own names back, the last replaced first."""
        while self._originals:
            owner, name, value = self._originals.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _present(owner: Any, name: str) -> Any:
    try:
        return vars(owner)[name]
    except KeyError:
        raise CloudError(
            f"moto has no {getattr(owner, '__qualname__', owner)}.{name} any more.",
            hint="Install the versions of the lock file: make setup",
        ) from None


def _around_function(function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return function(original, *args, **kwargs)

    return replacement


def _around_property(function: Callable[..., Any], original: property) -> property:
    return property(functools.partial(function, original.fget), original.fset)
