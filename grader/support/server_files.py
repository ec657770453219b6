"""What is put on the server for a moment, so that a download which goes where it must not finds something there.

What belongs here: putting it there, whether it was looked at, taking it away. What does not: the requests that lead
to it (the checks).
"""

import base64
from dataclasses import dataclass

from labkit.grading.api import Lab

#: the writer waits until somebody opens the pipe for reading, and then leaves a sign: another process of the server may not be
#: asked whether it still lives, for Landlock keeps signals apart
_SET = 'umask 0; mkfifo "$2"; { exec 3> "$2"; : > "$2.opened"; echo "$1" | base64 -d >&3; } 2> /dev/null &'
#: whoever reads lets the writer go
_CLEAR = '[ -e "$1.opened" ] || timeout 5 cat "$1" > /dev/null; rm -f "$1" "$1.opened"'
_FOLDERS = ("/srv", "/opt", "/home")


@dataclass(frozen=True)
class Trap:
    """An image on the server's disk that nobody has to open: a named pipe at whose other end somebody waits."""

    lab: Lab
    path: str

    @property
    def url(self) -> str:
        """Its address, for who may read files."""
        return f"file://{self.path}"

    def was_opened(self) -> bool:
        """Whether somebody has opened it since it was set."""
        return _run(self.lab, "test", "-e", f"{self.path}.opened")[0] == 0


def set_trap(lab: Lab, data: bytes) -> Trap:
    """An image of these bytes at a file:// URL, which everybody on the server may read; gone after the check."""
    path = f"{lab.random.choice(_FOLDERS)}/{lab.unique('picture')}.png"
    _run(lab, "sh", "-c", _SET, "sh", base64.b64encode(data).decode(), path)
    lab.cleanup(_run, lab, "sh", "-c", _CLEAR, "sh", path)
    return Trap(lab, path)


def a_name_of_the_metadata_service(lab: Lab) -> str:
    """A host name that leads the server to the metadata service; gone after the check."""
    name = f"{lab.unique('picture')}.lab.example"
    _run(lab, "sh", "-c", 'echo "169.254.169.254 $1" >> /etc/hosts', "sh", name)
    lab.cleanup(_run, lab, "sed", "-i", f"/{name}/d", "/etc/hosts")
    return name


def _run(lab: Lab, *words: str) -> tuple[int, str]:
    return lab.system.cloud.output_inside(lab.server.instance_id, list(words))
