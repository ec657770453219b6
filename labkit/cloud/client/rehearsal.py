"""Running a command where AWS's names lead to a local cloud: the stage as a process, seen from outside.

What belongs here: starting it, and why it can't be set here. What does not: what it is (labkit.cloud.rehearsal).
"""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from labkit.base.errors import SandboxUnavailable

#: a Learner Lab's session
SESSION_SECONDS = 4 * 3600
REFUSED, WEATHER, NEEDED, FAIR = "refused", "weather.json", "needed.json", "fair"


def run(
    folder: Path, account: str, words: Sequence[str], variables: Mapping[str, str], forecast: str = FAIR,
    session: float = SESSION_SECONDS,
) -> int:  # fmt: skip
    """Run `words` on a stage of its own in `folder`, before an account of that kind; returns their exit status.

    `forecast`: FAIR, or "SEED:FACTOR" for AWS's behaviour in time; what befell requests is then counted in WEATHER. What the command
    needed to be allowed is in NEEDED. `session`: seconds after which a Learner Lab's keys end.
    Raises SandboxUnavailable where this machine has no namespaces for it: nothing is run then.
    """
    if sys.platform != "linux":
        raise _unavailable("it needs Linux")
    (folder / REFUSED).unlink(missing_ok=True)
    command = [
        sys.executable,
        "-I",
        "-m",
        "labkit.cloud.rehearsal.stage",
        str(folder),
        account,
        forecast,
        str(round(session)),
        *words,
    ]
    process = subprocess.Popen(command, env=dict(variables))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has it too, and says what it left
    try:
        status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if (folder / REFUSED).exists():
        raise _unavailable((folder / REFUSED).read_text(encoding="utf-8").strip())
    return status


def _unavailable(why: str) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"The rehearsal can't be set up on this machine: {why}. Nothing was run.",
        hint="It needs user and network namespaces (docs/tiers.md says how to allow them); all else goes on without it.",
    )
