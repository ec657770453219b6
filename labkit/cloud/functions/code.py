"""The unpacked code of functions, one folder for each deployment package, shared by environments.

What belongs here: when a package is unpacked and when its folder goes. What does not: reading zips
(see zip), or mounting the folder (see placement).
"""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from labkit.aws.records import FunctionRecord
from labkit.cloud.functions.zip import unpack

#: gives a function's deployment package: (ARN, version) → zip
Packages = Callable[[str, str], bytes]


class CodeStore:
    """Folders of unpacked code, counted by the environments that use them."""

    def __init__(self, packages: Packages, *, folder: Path | None = None) -> None:
        """`folder`: where the packages go; by default a temporary folder of its own."""
        self._packages = packages
        self._root = Path(tempfile.mkdtemp(prefix="labkit-functions-", dir=folder))
        self._root.chmod(0o755)  # sandboxes run as another user
        self._lock = threading.Lock()
        self._users: Counter[str] = Counter()

    def acquire(self, function: FunctionRecord) -> Path:
        """The folder with the function's code; one `release` is due for each call.

        Raises InvalidCode when the package can't be unpacked.
        """
        with self._lock:
            folder = self._folder(function)
            if not folder.exists():
                self._unpack(function, folder)
            self._users[folder.name] += 1
            return folder

    def release(self, function: FunctionRecord) -> None:
        """The caller's environment has ended."""
        with self._lock:
            self._users[self._folder(function).name] -= 1

    def forget_unused(self, wanted: set[str]) -> None:
        """Remove the folders that no environment uses and whose hash is not in `wanted`."""
        names = {_name(sha256) for sha256 in wanted}
        with self._lock:
            for folder in list(self._root.iterdir()):
                if folder.name not in names and not self._users[folder.name]:
                    shutil.rmtree(folder)

    def close(self) -> None:
        """Remove everything. Environments must have ended."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _folder(self, function: FunctionRecord) -> Path:
        return self._root / _name(function.code_sha256)

    def _unpack(self, function: FunctionRecord, folder: Path) -> None:
        """Unpack beside the folder, then rename: what has its name is whole."""
        package = self._packages(function.arn, function.version)
        unfinished = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=self._root))
        try:
            unfinished.chmod(0o755)
            unpack(package, unfinished)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def _name(sha256: str) -> str:
    """CodeSha256 is base64: made fit for a file name."""
    return sha256.replace("/", "_").replace("+", "-") or "none"
