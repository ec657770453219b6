"""Line boot-clean."""

import re
from collections.abc import Sequence

from labkit.aws import console
from labkit.grading.api import Failed, Lab, NotTold, cut
from labkit.grading.judging.clues import is_said, next_thing, telling

_ERROR = re.compile(
    r"command not found|Traceback \(most recent|syntax error|No such file or directory|Permission denied|"
    r"Failed to (?:start|enable)|\bERROR\b|not a valid unit",
)  # fmt: skip
_LOG = "/var/log/cloud-init-output.log"
_READ = "read the boot log:  ./lab logs server"


def check(lab: Lab) -> None:
    """Your boot script ends with 0 and leaves no error in its log.

    cloud-init runs it once, as root, with nobody watching: what goes wrong is only in the log.
    """
    boot = lab.server.boot()
    if boot.state == "running-user-data":
        raise _failed(
            "your boot script has not ended after more than a minute", _log_so_far(lab), "it still runs"
        )
    if boot.exit_code is None:
        raise Failed(
            "your boot script never ran", hint="cloud-init runs a script that begins with #! and has Unix line ends",
            expected="exit status 0", found=f"no exit status, state {boot.state}",
        )  # fmt: skip
    if boot.state != "ok" or boot.exit_code != 0:
        raise _failed(
            f"your boot script ended with {boot.exit_code}", boot.log, f"exit status {boot.exit_code}"
        )
    _refuse_errors(boot.log)


def live(lab: Lab) -> None:
    """Your server's console tells of a boot script that ended well, without an error."""
    answer = lab.clients.client("ec2").get_console_output(InstanceId=lab.server.instance_id, Latest=True)
    log = console.script_lines(str(answer.get("Output", "")))
    if (state := console.boot_state(log)) == "unknown":
        raise NotTold(
            "the server's console does not tell how the boot ended (yet)", hint="some minutes later, again"
        )
    if state == "failed":
        raise _failed("your boot script failed", log, "what cloud-init says on the console")
    _refuse_errors(log)


def _refuse_errors(log: Sequence[str]) -> None:
    wrong = [line for line in log if _ERROR.search(line) and not line.startswith("+")]
    if wrong:
        raise Failed(
            f"the boot log holds an error: {cut(wrong[0], 160)}",
            hint=next_thing(wrong[0], "the line before it says which command it was"),
            expected="no error", found=cut(wrong[0], 160), evidence=wrong[:6],
        )  # fmt: skip


def _failed(what: str, log: Sequence[str], found: str) -> Failed:
    line = telling(log)
    return Failed(
        f"{what}: {line}" if line else f"{what}, and its log does not say why", hint=next_thing(line, _READ),
        expected="exit status 0", found=found, evidence=[line for line in log if is_said(line)][-6:],
    )  # fmt: skip


def _log_so_far(lab: Lab) -> list[str]:
    """The script's log and its service's journal, while it runs."""
    told = lab.system.cloud.output_inside(lab.server.instance_id, ["tail", "-n", "60", _LOG])[1]
    return [*told.splitlines(), *lab.server.journal(lines=60)]
