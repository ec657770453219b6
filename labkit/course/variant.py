"""A student's own values: one pure function from (course salt, student id) to names, network, port, token.

What belongs here: what differs between students, computed by HMAC-SHA256 so that templates and checks agree.
What does not: files, the AWS API, anything that is the same for everybody.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.base.errors import UsageError

_ID = re.compile(r"[a-z0-9][a-z0-9._+-]*(@[a-z0-9.-]+)?")
_LONGEST_ID = 64
#: ends the name of a reference workspace, and names a file beside the workspaces
SOLUTION_SUFFIX = ".solution"
_TAKEN = {"current"}

_CODE_LENGTH = 6
_FIRST_PORT, _PORTS = 5001, 999
_FIRST_NETWORK, _NETWORKS = 1, 254
_TOKEN_LENGTH = 20


@dataclass(frozen=True)
class Variant:
    """One student's own values. `code` is the short name from which the others are recognised."""

    student: str
    code: str
    network: int
    port: int
    lab_token: str

    @property
    def name(self) -> str:
        """The project's name: the stack's name, and how the name of every resource begins."""
        return f"hybrid-{self.code}"

    @property
    def vpc_cidr(self) -> str:
        """The address range of the student's VPC."""
        return f"10.{self.network}.0.0/16"

    @property
    def subnet_cidr(self) -> str:
        """The address range of the public subnet inside it."""
        return f"10.{self.network}.1.0/24"

    @property
    def prefix(self) -> str:
        """How the key of every object begins (before the slash)."""
        return self.code

    def tags(self) -> Mapping[str, str]:
        """The tags on everything that the lab creates, the same in both engines."""
        return {"lab:project": self.name, "lab:variant": self.code, "lab:ttl": "24h"}

    def parameters(self) -> Mapping[str, str]:
        """Parameters to pass when deploying: none, since the files carry the values as their defaults."""
        return {}

    def values(self) -> Mapping[str, str]:
        """The names that templates may use, with this student's values."""
        return {
            "code": self.code,
            "project": self.name,
            "vpc_cidr": self.vpc_cidr,
            "subnet_cidr": self.subnet_cidr,
            "nobody": f"10.{self.network}.1.254",
            "port": str(self.port),
            "prefix": self.prefix,
            "lab_token": self.lab_token,
            **{f"tag_{key.removeprefix('lab:')}": value for key, value in self.tags().items()},
        }


def student_id(text: str) -> str:
    """The id in lower case, fit to name a folder and resources.

    Raises UsageError, with an example, for anything else.
    """
    wanted = text.strip().lower()
    if not _ID.fullmatch(wanted) or len(wanted) > _LONGEST_ID:
        reason = (
            "letters a to z, digits and . _ + - are allowed, one @ for an e-mail address, "
            f"at most {_LONGEST_ID} characters"
        )
    elif wanted.endswith(SOLUTION_SUFFIX) or wanted in _TAKEN:
        reason = "the lab itself uses this name"
    else:
        return wanted
    raise UsageError(
        f"{text[: _LONGEST_ID + 16]!r} can't be a student id: {reason}.",
        hint="For example:  ./lab generate --student ada@uni.edu",
    )


def make_variant(salt: str, student: str) -> Variant:
    """The values of `student` in the course with this salt: the same two always give the same.

    Raises UsageError when the id is not allowed (see student_id).
    """
    known = student_id(student)
    return Variant(
        student=known,
        code=base64.b32encode(_digest(salt, known, "code")).decode().lower()[:_CODE_LENGTH],
        network=_FIRST_NETWORK + _number(salt, known, "network") % _NETWORKS,
        port=_FIRST_PORT + _number(salt, known, "port") % _PORTS,
        lab_token=_digest(salt, known, "token").hex()[:_TOKEN_LENGTH],
    )


def _digest(salt: str, student: str, what: str) -> bytes:
    return hmac.new(salt.encode(), f"{what}\n{student}".encode(), hashlib.sha256).digest()


def _number(salt: str, student: str, what: str) -> int:
    return int.from_bytes(_digest(salt, student, what)[:8], "big")
