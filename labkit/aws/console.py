"""What an instance's console tells of its boot, in cloud-init's words.

What belongs here: pure functions of the console's lines. What does not: asking for them (GetConsoleOutput).
"""

import re
from collections.abc import Sequence

#: what cloud-init says of the user data's end
_FAILED = re.compile(r"Failed to run module scripts[-_]user|Failed running /var/lib/cloud/instance")
_FINISHED = re.compile(r"Cloud-init v\. \S+ finished at")
#: what the kernel's clock and the program's name put before a line
_BEFORE = re.compile(r"^\[\s*\d+\.\d+\] (?:cloud-init\[\d+\]: )?")


def boot_state(console: Sequence[str]) -> str:
    """What a console says of the boot: ok, failed, or unknown while it does not say."""
    text = "\n".join(console)
    return "failed" if _FAILED.search(text) else "ok" if _FINISHED.search(text) else "unknown"


def script_lines(console: str) -> list[str]:
    """The console's lines as the boot script printed them; where cloud-init marks its own, those alone."""
    lines = console.splitlines()
    own = [line for line in lines if "cloud-init[" in line]
    return [_BEFORE.sub("", line) for line in own or lines]
