"""Terraform's state file in the student's folder: whether somebody holds it, and what a kill in a write leaves.

What belongs here: the file as a file. What does not: running Terraform (terraform), what the state says of resources.
"""

import contextlib
import fcntl
import hashlib
import json
from pathlib import Path

from labkit.base import state
from labkit.deploy.targets import Target

NAME, BACKUP = "terraform.tfstate", "terraform.tfstate.backup"


def path_of(folder: Path, target: Target) -> Path:
    """The state of what stands at a target: beside the files, or that of a workspace of Terraform's with the target's name.

    Terraform: "Workspaces" (local state in terraform.tfstate.d), TF_WORKSPACE (labkit.deploy.terraform_command).
    """
    return folder / NAME if target.is_local else folder / "terraform.tfstate.d" / target.name / NAME


def is_locked(path: Path) -> bool:
    """Whether another Terraform holds the state file (which it locks as POSIX locks files)."""
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def fingerprint(path: Path) -> str:
    """SHA-256 over the file. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def take_back(path: Path) -> bool:
    """Put the backup in the place of a state file of which only a part was written; whether that was done.

    Terraform empties the file before it writes it. Killed in between it would find no state, or none that it can read,
    and know nothing of what stands. The backup is the state with which the killed run began. Raises StateError.
    """
    backup = path.with_name(BACKUP)
    if not path.is_file() or is_locked(path) or _is_whole(path) or not _is_whole(backup):
        return False
    state.write_bytes(path, backup.read_bytes(), mode=0o600)
    return True


def set_aside(path: Path) -> bool:
    """Move a state file out of the way that nobody can read, and that has no backup that somebody could; whether that was done."""
    if not path.is_file() or is_locked(path) or _is_whole(path) or _is_whole(path.with_name(BACKUP)):
        return False
    path.replace(path.with_name(f"{NAME}.broken"))
    return True


def _is_whole(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return isinstance(json.loads(path.read_bytes()), dict)
    return False
