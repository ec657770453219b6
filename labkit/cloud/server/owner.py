"""The owner of a cloud's account: the keys that are the account's own, and the port that a shell knows.

Both are kept beside the cloud, in its folder, when it stops: a shell that was opened before goes on working with
the next one. Whoever can read the file is the account's owner; nobody but the person who runs the cloud can.

What belongs here: making, keeping and finding them again. What does not: verifying signatures (labkit.cloud.door).
"""

import contextlib
import dataclasses
import secrets
import socket
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from labkit.base.errors import StateError
from labkit.base.state import read_json, write_json
from labkit.deploy.targets import Keys

FILE = "owner.json"
#: AWS IAM user guide, "IAM identifiers": a long-term key's id is AKIA and sixteen more
_ID_LETTERS, _ID_LENGTH = string.ascii_uppercase + "234567", 16
_SECRET_LETTERS, _SECRET_LENGTH = string.ascii_letters + string.digits + "+/", 40


@dataclass(frozen=True)
class Owner:
    """`port`: where the cloud answered last, 0 for none."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    port: int = 0

    @classmethod
    def make(cls) -> Self:
        """A new one, of the system's own randomness."""
        return cls("AKIA" + _random(_ID_LETTERS, _ID_LENGTH), _random(_SECRET_LETTERS, _SECRET_LENGTH))

    @property
    def keys(self) -> Keys:
        """The credentials, for clients."""
        return Keys(self.access_key_id, self.secret_access_key)


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))


def load(folder: Path) -> Owner:
    """The owner of the cloud in `folder`; a new one where there is none, or others could read its secret."""
    with contextlib.suppress(StateError, TypeError, FileNotFoundError):  # then it is as good as none
        if (folder / FILE).stat().st_mode & 0o077 == 0:
            found = Owner(**(read_json(folder / FILE) or {}))
            if all(type(getattr(found, each.name)) is each.type for each in dataclasses.fields(Owner)):
                return found
    return Owner.make()


def save(folder: Path, owner: Owner) -> None:
    """Keep it for the next cloud in `folder`, for nobody else to read. Raises StateError."""
    write_json(folder / FILE, dataclasses.asdict(owner), mode=0o600)


def listen_on_loopback(port: int) -> socket.socket:
    """A listening socket at this port of 127.0.0.1; at a free one where it is another's, or 0."""
    listener = socket.socket()
    listener.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    )  # connections of the last cloud fade away yet
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        return listen_on_loopback(0)
    return listener
