"""What each worker of a test run would do again, done once and side by side: python -m tests.prepare FOLDER…

pytest rewrites the assertions of a module of tests when it first collects it, and Hypothesis works out its tables of
characters when it first draws a text. Both keep what came of it: where nothing has changed since, nothing is done.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

_COLLECT = ("-m", "pytest", "--collect-only", "-qq", "-m", "", "-p", "no:xdist", "-p", "no:cacheprovider")
_DRAW = ("-c", "from hypothesis import strategies; strategies.text().wrapped_strategy.validate()")


def main(folders: list[str]) -> None:
    """Prepare the tests in these folders; what is wrong with them is told by the run itself."""
    mark = Path(".pytest_cache", "prepared " + " ".join(folders).replace("/", "-"))
    began = time.time()
    if mark.exists() and mark.stat().st_mtime > _newest(folders):
        return
    files = sorted(str(path) for folder in folders for path in Path(folder).rglob("test_*.py"))
    cores = os.cpu_count() or 1
    parts = [files[number::cores] for number in range(cores)]
    programs = [_DRAW, *((*_COLLECT, *part) for part in parts if part)]
    started = [
        subprocess.Popen([sys.executable, *each], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for each in programs
    ]
    for process in started:
        process.wait()
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    os.utime(mark, (began, began))


def _newest(folders: list[str]) -> float:
    """When the newest of all that tests are made of was changed, or came there (seconds since the epoch)."""
    roots = {Path(folder).parts[0] for folder in folders}
    paths = [Path(sys.executable), *(path for root in roots for path in Path(root).rglob("*.py"))]
    return max(max(found.st_mtime, found.st_ctime) for found in (path.stat() for path in paths))


if __name__ == "__main__":
    main(sys.argv[1:])
