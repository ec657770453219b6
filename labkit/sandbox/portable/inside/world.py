"""What a portable sandbox's processes are told of the world they are to believe in.

What belongs here: the record and its file. What does not: who makes it (roots.py) or obeys it.
Runs inside: standard library only.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, field

#: where the record lies in a sandbox's root
FILE = "/run/lab/world.json"
#: what an instance's own interpreter is installed below (its base prefix ends in this)
PYTHON = "/run/lab/python"
#: … and that of the virtual environments of an older release
OLDER_PYTHON = "/usr/share/lab/older"


@dataclass(frozen=True)
class Network:
    """How to reach anything: all ports are on 127.0.0.1, for there is no other address.

    `gate` answers questions and carries connections; a connection to `closed` is refused, one to `hole`
    never comes about. `direct`: "address:port" → the port that stands for it. `hole` 0 is no network.
    """

    address: str = ""
    gate: int = 0
    closed: int = 0
    hole: int = 0
    direct: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """One sandbox: its root, whom its processes take themselves for, and its network.

    `kept`: folders of this machine that are what they are (the interpreter's, the shelf of pip).
    `fixed`: paths below which nothing can be written. `farm`: this machine's programs that are to be found on the path.
    """

    root: str
    farm: str = ""
    kept: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    uid: int = 0
    hostname: str = "localhost"
    pretend_root: bool = False
    network: Network = field(default_factory=Network)

    def to_json(self) -> str:
        """The record as text."""
        return json.dumps(asdict(self))


def from_json(text: str) -> World:
    """The record that `to_json` made."""
    values = json.loads(text)
    values["kept"], values["fixed"] = tuple(values["kept"]), tuple(values["fixed"])
    values["network"] = Network(**values["network"])
    return World(**values)


def of_this_interpreter() -> World | None:
    """The world of the instance whose interpreter this is; None for any other interpreter."""
    home = next((each for each in (PYTHON, OLDER_PYTHON) if sys.base_prefix.endswith(each)), "")
    root = sys.base_prefix.removesuffix(home)
    if not home or not os.path.exists(root + FILE):
        return None
    with open(root + FILE, encoding="utf-8") as file:
        return from_json(file.read())
