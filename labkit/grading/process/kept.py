"""A cloud that is kept between judgings of a gap, with what they judge in it and who has imported all that judging
needs: a second instead of five.

What belongs here: when it may be used again, and when not. What does not: what stands in it (session, system), the
imports (standing), its end (labkit.cloud.server.server: it ends when nobody has used it for a while; `lab cloud stop` ends
it too).

Feedback is taken here, never a mark. Whatever might have left it other than it was (a kill, another student, a
line that could not be judged) makes the next judging begin with a new one.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.cloud.client.lifecycle import LocalCloud
from labkit.cloud.server.server import LAST_USED
from labkit.grading.process import standing
from labkit.grading.process.scratch import unwritten


@dataclass(frozen=True)
class Kept:
    """The place in use: `cloud` is its cloud's folder, `system` where the deployed files lie."""

    folder: Path

    @property
    def cloud(self) -> Path:
        """The cloud's folder."""
        return self.folder / "cloud"

    @property
    def system(self) -> Path:
        """Where files, build and an engine's state lie."""
        return self.folder / "system"

    @property
    def _whose(self) -> Path:
        return self.folder / "whose.json"

    def stop(self) -> bool:
        """End the cloud and forget everything; whether one was running. Only in `alone`."""
        stopped = LocalCloud(self.cloud).stop()
        standing.end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        return stopped

    def is_good(self) -> None:
        """What was judged is judged: the next one may go on here, for as long as the cloud lives without use."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.cloud / LAST_USED)
        (self.folder / "in-use").unlink(missing_ok=True)

    def _begin(self, whose: Mapping[str, object]) -> None:
        mark, text = self.folder / "in-use", json.dumps(whose, sort_keys=True)
        if mark.exists() or not self._whose.exists() or self._whose.read_text(encoding="utf-8") != text:
            self.stop()
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.cloud.mkdir(exist_ok=True, mode=0o700)
        self._whose.write_text(text, encoding="utf-8")
        mark.touch()
        (self.cloud / LAST_USED).touch()


@contextlib.contextmanager
def alone(folder: Path, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Nobody else judges in `folder` during the body; `wait` is called when somebody does now. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(folder.with_suffix(".lock"), "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def use(folder: Path, whose: Mapping[str, object]) -> Iterator[Kept]:
    """The place in `folder` for the body; others wait. What was kept for anybody but `whose` is ended first.

    Raises StateError when the disk does not take it.
    """
    with contextlib.ExitStack() as ending:
        try:
            ending.enter_context(alone(folder))
            kept = Kept(folder)
            kept._begin(whose)
        except OSError as error:
            raise unwritten(error, folder) from error
        yield kept
