"""Line boot-clean."""

import re

from labkit.grading.api import Failed, Lab, cut

_ERROR = re.compile(
    r"command not found|Traceback \(most recent|syntax error|No such file or directory|Permission denied|"
    r"Failed to (?:start|enable)|\bERROR\b|not a valid unit",
)  # fmt: skip


def check(lab: Lab) -> None:
    """Your boot script ends with 0 and leaves no error in its log.

    cloud-init runs it once, as root, with nobody watching: what goes wrong is only in the log.
    """
    boot = lab.server.boot()
    last = [line for line in boot.log if line.strip()][-6:]
    if boot.state != "ok" or boot.exit_code != 0:
        raise Failed(
            _reason(boot.exit_code, last), hint="read the boot log:  ./lab logs server",
            expected="exit status 0", found=f"exit status {boot.exit_code}" if boot.exit_code is not None else boot.state, evidence=last,
        )  # fmt: skip
    wrong = [line for line in boot.log if _ERROR.search(line) and not line.startswith("+")]
    if wrong:
        raise Failed(
            f"the boot log holds an error: {cut(wrong[0], 160)}", hint="the line before it says which command it was",
            expected="no error", found=cut(wrong[0], 160), evidence=wrong[:6],
        )  # fmt: skip


def _reason(code: int | None, last: list[str]) -> str:
    if code is None and not last:
        return (
            "your boot script never ran: cloud-init runs a script that begins with #! and has Unix line ends"
        )
    if code is None:
        return f"your boot script does not end; its last line: {cut(last[-1], 160)}"
    return f"your boot script ended with {code}: {cut(last[-1], 160) if last else ''}"
