"""A running local cloud's control interface: what it can be asked beside AWS's API.

What belongs here: where it answers, and the requests. What does not: finding, starting and stopping it (lifecycle), the
answers (labkit.cloud.server.control).
"""

import contextlib
import http.client
import json
import os
import socket
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from labkit.aws.accounts import FULL
from labkit.base.errors import CloudDeclined, CloudError
from labkit.deploy.targets import Keys, Target

BOOT_SECONDS = 120.0
#: answers of the control interface that say: it is not there, it can't be
_DECLINED = (400, 404, 409)
_FAILED = (
    "It is its own trouble, not your files'. Is the disk full? Its words:\n  ./lab cloud logs\n"
    "A new one, and your lab in it:\n  ./lab cloud stop --forget && ./lab deploy"
)


@dataclass(frozen=True)
class Endpoint:
    """A running local cloud: where it answers, the token of its control requests, the keys of its account's owner,
    its kind of sandbox.

    `tier_text` says why it is not the best tier, and what it does not protect against; `tier_fix` how to get
    the best one. Both are empty for that. `account`: its kind (labkit.aws.accounts). `as_of`: of when the state is with
    which it began, in seconds since the epoch; 0.0 where it began empty.
    """

    port: int
    pid: int
    token: str = field(repr=False)
    access_key_id: str
    secret_access_key: str = field(repr=False)
    started_at: float
    tier: str
    tier_text: str = ""
    tier_fix: str = ""
    account: str = FULL.name
    as_of: float = 0.0

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL is set to."""
        return f"http://127.0.0.1:{self.port}"

    def target(self, region: str) -> Target:
        """One of its regions, as the account's owner."""
        return Target("local", region, self.url, Keys(self.access_key_id, self.secret_access_key))


class ControlClient(ABC):
    """Asks the cloud that `running` finds. Every method raises as `ask` does."""

    @abstractmethod
    def running(self) -> Endpoint | None:
        """The endpoint of the running server, or None."""

    def ask(self, method: str, path: str, body: bytes | None = None, *, timeout: float | None = 120) -> Any:
        """One request to the control interface; returns the JSON answer.

        Raises CloudDeclined when what is asked for is not there, CloudError when no cloud runs or it fails.
        """
        endpoint = self.running()
        if endpoint is None:
            raise CloudError("The local cloud is not running.", hint="Start it with: ./lab cloud start")
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=timeout)
        try:
            headers = {"X-Lab-Token": endpoint.token, "Content-Type": "application/json"}
            connection.request(method, f"/_lab/{path}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise CloudError(
                f"The local cloud stopped answering: {error}.",
                hint="Your files are untouched. Run the same command again.",
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            kind = CloudDeclined if answer.status in _DECLINED else CloudError
            hint = "" if answer.status in _DECLINED else _FAILED
            raise kind(
                f"The local cloud answered {answer.status}: {text.decode(errors='replace')}", hint=hint
            )
        return json.loads(text)

    def publish(self, name: str, data: bytes) -> str:
        """Serve `data` on the image host (outside every VPC); returns its URL."""
        return str(self.ask("PUT", f"images/{quote(name)}", data)["url"])

    def session_of(self, role: str, name: str, seconds: int) -> Keys:
        """Keys of a session of that role, good for so long."""
        body = json.dumps({"role": role, "session": name, "seconds": seconds}).encode()
        found = self.ask("POST", "credentials", body)
        return Keys(
            found["access_key_id"], found["secret_access_key"], found["session_token"], found["expires_at"]
        )

    def delay_images(self, seconds: float) -> None:
        """Let the image host wait so long before each answer."""
        self.ask("PUT", "image-host", json.dumps({"delay": seconds}).encode())

    def instance(self, instance_id: str) -> Mapping[str, Any]:
        """Boot state, units and the last lines of the logs of one instance."""
        answer: dict[str, Any] = self.ask("GET", f"instances/{quote(instance_id)}")
        return answer

    def await_boot(self, instance_id: str, seconds: float = BOOT_SECONDS) -> Mapping[str, Any]:
        """As `instance`, once its user data has ended, or after `seconds`."""
        answer: dict[str, Any] = self.ask(
            "GET", f"instances/{quote(instance_id)}?wait={seconds}", timeout=seconds + 30
        )
        return answer

    def run_inside(self, instance_id: str, words: Sequence[str], descriptors: Sequence[int]) -> int:
        """Run a command as root inside an instance, on these three descriptors; returns its status.

        No words: a login shell. Raises CloudError when no cloud, or no such instance, runs.
        """
        with tempfile.TemporaryDirectory(prefix="lab-") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = f"{folder}/fds"
            listener.bind(path)
            listener.listen(1)
            hand = threading.Thread(target=_hand_over, args=(listener, list(descriptors)), daemon=True)
            hand.start()
            body = json.dumps({"socket": path, "words": list(words)}).encode()
            answer = self.ask("POST", f"instances/{quote(instance_id)}/shell", body, timeout=None)
            return int(answer["status"])

    def output_inside(self, instance_id: str, words: Sequence[str]) -> tuple[int, str]:
        """As run_inside, with nothing to read: the status, and what the command printed."""
        with tempfile.TemporaryFile() as file, open(os.devnull, "rb") as nothing:
            status = self.run_inside(instance_id, words, [nothing.fileno(), file.fileno(), file.fileno()])
            file.seek(0)
            return status, file.read().decode(errors="replace")


def _hand_over(listener: socket.socket, descriptors: list[int]) -> None:
    """Give the descriptors to the server, which connects; it may as well refuse and never come."""
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            socket.send_fds(connection, [b"x"], descriptors)
