"""What is put on the server for a moment, so that a download which goes where it must not finds something there.

What belongs here: putting it there, whether it was looked at, taking it away. What does not: the requests that lead
to it (the checks).
"""

import base64
from dataclasses import dataclass

from labkit.grading.api import Lab

#: the writer waits until somebody opens the pipe for reading; its number tells whether it still does
_PIPE = 'umask 0; mkfifo "$2"; { echo "$1" | base64 -d; } > "$2" 2> /dev/null & echo $!'
_FOLDERS = ("/srv", "/opt", "/home")


@dataclass(frozen=True)
class Trap:
    """An image on the server's disk that nobody has to open: a named pipe, and who waits at its other end."""

    lab: Lab
    url: str
    writer: str

    def was_opened(self) -> bool:
        """Whether somebody has opened it since it was set."""
        return _run(self.lab, "kill", "-0", self.writer)[0] != 0


def set_trap(lab: Lab, data: bytes) -> Trap:
    """An image of these bytes at a file:// URL, which everybody on the server may read; gone after the check."""
    path = f"{lab.random.choice(_FOLDERS)}/{lab.unique('picture')}.png"
    _, printed = _run(lab, "sh", "-c", _PIPE, "sh", base64.b64encode(data).decode(), path)
    writer = printed.strip()
    lab.cleanup(_run, lab, "sh", "-c", 'kill "$1"; rm -f "$2"', "sh", writer, path)
    return Trap(lab, f"file://{path}", writer)


def a_name_of_the_metadata_service(lab: Lab) -> str:
    """A host name that leads the server to the metadata service; gone after the check."""
    name = f"{lab.unique('picture')}.lab.example"
    _run(lab, "sh", "-c", 'echo "169.254.169.254 $1" >> /etc/hosts', "sh", name)
    lab.cleanup(_run, lab, "sed", "-i", f"/{name}/d", "/etc/hosts")
    return name


def _run(lab: Lab, *words: str) -> tuple[int, str]:
    return lab.system.cloud.output_inside(lab.server.instance_id, list(words))
