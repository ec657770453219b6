"""What the keeper is told to start, as it travels to it.

What belongs here: the record and its text. What does not: carrying it out (keeper.py, child.py).
"""

import json
from dataclasses import asdict, dataclass

from labkit.sandbox.portable.inside.world import World, from_json
from labkit.sandbox.spec import Bind, Limits, SandboxSpec


@dataclass(frozen=True)
class Order:
    """One process. `uid` 0 keeps the keeper's user; `landlock`: with Landlock and the filter of system calls.

    `strip`: what it passes on names files as the sandbox knows them.
    """

    spec: SandboxSpec
    world: World
    uid: int = 0
    landlock: bool = False
    strip: bool = False

    def to_json(self) -> str:
        """The order as text. Raises TypeError when the spec's arguments are none."""
        return json.dumps({**asdict(self), "world": self.world.to_json()})

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """The order that `to_json` made."""
        values = json.loads(text)
        values["world"] = from_json(values["world"])
        values["spec"] = _spec(values["spec"])
        return cls(**values)


def _spec(values: dict[str, object]) -> SandboxSpec:
    for name in ("command", "loopback", "usr_layers", "disk_paths"):
        values[name] = tuple(values[name])  # type: ignore[arg-type]
    values["listen"] = tuple((host, port) for host, port in values["listen"])  # type: ignore[attr-defined]
    values["binds"] = tuple(Bind(**bind) for bind in values["binds"])  # type: ignore[attr-defined]
    values["limits"] = Limits(**values["limits"])  # type: ignore[arg-type]
    return SandboxSpec(**values)  # type: ignore[arg-type]
