"""What cloud-init does with user data, as pure decisions and its own words.

What belongs here: which user data runs, as which file, and the lines of the boot log. What does not:
starting the process. Runs inside the instance: standard library only.

AWS: EC2, "Run commands on your Linux instance at launch"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html); cloud-init, "User data formats".
"""

import time
from dataclasses import dataclass

FOLDER = "/var/lib/cloud"
OUTPUT = "/var/log/cloud-init-output.log"
SCRIPT = FOLDER + "/instance/scripts/part-001"
SEMAPHORE = FOLDER + "/instance/sem/config_scripts_user"
FINISHED = FOLDER + "/instance/boot-finished"
_KINDS = {
    b"#cloud-config": "cloud-config",
    b"#cloud-boothook": "cloud-boothook",
    b"#include": "include",
    b"## template: jinja": "jinja2",
    b"Content-Type:": "multipart",
    b"MIME-Version:": "multipart",
    b"\x1f\x8b": "gzip",
}


@dataclass(frozen=True)
class Edition:
    """The cloud-init of one system: its version, and where its modules lie."""

    version: str
    scripts_user: str


#: by the system's name
EDITIONS = {
    "Amazon Linux 2023": Edition(
        "22.2.2", "/usr/lib/python3.9/site-packages/cloudinit/config/cc_scripts_user.py"
    ),
    "Amazon Linux 2": Edition(
        "19.3-46.amzn2.0.5", "/usr/lib/python2.7/site-packages/cloudinit/config/cc_scripts_user.pyc"
    ),
}


@dataclass(frozen=True)
class Plan:
    """What to do with user data: a script to run (with its bytes), or a warning, or nothing."""

    script: bytes = b""
    warning: str = ""


def plan(user_data: bytes) -> Plan:
    """What cloud-init makes of `user_data`.

    Only what starts with "#!" runs. Of other kinds that real cloud-init knows, the warning says that
    they are not run here; anything else is warned about in cloud-init's words, and ignored, as there.
    """
    if not user_data.strip():
        return Plan()
    if user_data.startswith(b"#!"):
        return Plan(script=unix_line_ends(user_data))
    for start, kind in _KINDS.items():
        if user_data.startswith(start):
            return Plan(
                warning=f"User data of the kind {kind} is not run by this local cloud. Use a script with #!."
            )
    return Plan(warning=f"Unhandled non-multipart (text/x-not-multipart) userdata: '{_start(user_data)}...'")


def unix_line_ends(script: bytes) -> bytes:
    """As cloud-init's dos2unix: when the first line ends in CR LF, every CR LF becomes LF."""
    first = script.find(b"\n")
    if first <= 0 or script[first - 1 : first] != b"\r":
        return script
    return script.replace(b"\r\n", b"\n")


def _start(user_data: bytes) -> str:
    return repr(user_data.splitlines()[0][:24] if user_data.splitlines() else user_data[:24])


def stamp(when: float) -> str:
    """A time as cloud-init writes it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))


def running(edition: Edition, stage: str, when: float, up: float) -> str:
    """The line that opens a stage."""
    return f"Cloud-init v. {edition.version} running '{stage}' at {stamp(when)}. Up {up:.2f} seconds.\n"


def finished(edition: Edition, when: float, up: float) -> str:
    """The last line of the boot log."""
    return f"Cloud-init v. {edition.version} finished at {stamp(when)}. Datasource DataSourceEc2.  Up {up:.2f} seconds\n"


def warning(module: str, text: str, when: float) -> str:
    """One warning, as it stands in the boot log."""
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when))
    return f"{clock},{int(when % 1 * 1000):03d} - {module}[WARNING]: {text}\n"


def failed(edition: Edition, code: int, when: float) -> str:
    """The lines about a script that ended with an exit status other than 0, or with a signal."""
    return (
        warning("util.py", f"Failed running {SCRIPT} [{code}]", when)
        + warning(
            "cc_scripts_user.py",
            f"Failed to run module scripts-user (scripts in {FOLDER}/instance/scripts)",
            when,
        )
        + warning(
            "util.py",
            "Running module scripts-user (<module 'cloudinit.config.cc_scripts_user' from "
            f"'{edition.scripts_user}'>) failed",
            when,
        )
    )
