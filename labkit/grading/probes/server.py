"""The instance: how it booted, what runs in it, asking it from inside, stopping, starting, killing.

What belongs here: what a check may see of the server and do to it. What does not: instances themselves
(labkit.cloud.instances).
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Clients


@dataclass(frozen=True)
class Boot:
    """How the boot went: "ok", "failed", "running-user-data"; user data's exit status; the end of its log."""

    state: str
    exit_code: int | None
    seconds: float
    log: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """A systemd unit as `systemctl show` tells it (told by the instance itself)."""

    name: str
    state: str
    sub: str
    result: str
    main_pid: int
    restarts: int


@dataclass(frozen=True)
class Program:
    """A process inside the instance, as the kernel knows it (not as the instance tells it).

    pid: its number inside; listens: TCP ports it listens on.
    """

    pid: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    listens: tuple[int, ...]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer from inside the instance; status 0 and `problem` when there was none."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""

    @property
    def json(self) -> Any:
        """The body's JSON value, None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Server:
    """The instance `instance_id`, whose application should listen on `port`.

    `booted` returns when its boot script has ended: what happens inside is asked for after it.
    """

    cloud: LocalCloud
    clients: Clients
    instance_id: str
    port: int
    booted: Callable[[], None] = lambda: None

    @property
    def description(self) -> Mapping[str, Any]:
        """The instance as DescribeInstances shows it now."""
        found = self.clients.client("ec2").describe_instances(InstanceIds=[self.instance_id])
        first: Mapping[str, Any] = found["Reservations"][0]["Instances"][0]
        return first

    @property
    def role_arn(self) -> str:
        """The ARN of the role in its instance profile, "" where it has none."""
        profile = str(self.description.get("IamInstanceProfile", {}).get("Arn", ""))
        if not profile:
            return ""
        found = self.clients.client("iam").get_instance_profile(
            InstanceProfileName=profile.rsplit("/", 1)[-1]
        )
        return next((str(role["Arn"]) for role in found["InstanceProfile"]["Roles"]), "")

    # -- looking --------------------------------------------------------------------------------------

    def boot(self) -> Boot:
        """How the boot went, once user data has ended; "running" for what does not end."""
        self.booted()
        about = self.cloud.instance(self.instance_id)
        return Boot(str(about["state"]), about["exit_code"], float(about["seconds"]), tuple(about["log"]))

    def units(self) -> dict[str, Unit]:
        """The units started since boot, by name ("flask-app.service")."""
        self.booted()
        about = self.cloud.instance(self.instance_id)["units"]
        return {name: Unit(**unit) for name, unit in about.items()}

    def programs(self) -> list[Program]:
        """Everything that runs inside, but for process 1."""
        return [_program(each) for each in self._ask("GET", "programs")]

    def application(self) -> Program | None:
        """The program that listens on the own port, the one started first; None when nobody does."""
        return next((p for p in self.programs() if self.port in p.listens), None)

    def journal(self, unit: str = "", lines: int = 50, since: float = 0.0) -> list[str]:
        """The last lines of the journal (of `unit`, since then in seconds of the epoch).

        What other checks asked of the service is there too: a check that shows what came of its own begins with `since`.
        """
        answer: list[str] = self._ask("GET", f"journal/{quote(unit)}?lines={lines}&since={since}")
        return answer

    def metadata_requests(self) -> list[str]:
        """What its metadata service was asked for, oldest first, by whatever name: paths with their queries."""
        answer: list[str] = self._ask("GET", "metadata")
        return answer

    def request(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None,
        seconds: float = 10.0, port: int = 0,
    ) -> Reply:  # fmt: skip
        """An HTTP request made inside the instance, to 127.0.0.1: no network, no security group on the way."""
        asked = {
            "method": method,
            "path": path,
            "body": base64.b64encode(body).decode(),
            "headers": dict(headers or {}),
            "seconds": seconds,
            "port": port or self.port,
        }
        answer = self._ask("POST", "requests", asked)
        if answer["problem"]:
            return Reply(problem=answer["problem"])
        return Reply(answer["status"], answer["headers"], base64.b64decode(answer["body"]))

    def is_healthy(self) -> bool:
        """Whether GET /health answers 200 inside, now."""
        return self.request("GET", "/health", seconds=5).status == 200

    def wait_healthy(self, seconds: float = 15.0) -> bool:
        """Whether /health answers 200 inside, or begins to within `seconds`."""
        deadline = time.monotonic() + seconds
        while not self.is_healthy():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.03)  # nothing tells when a program begins to listen
        return True

    # -- doing ----------------------------------------------------------------------------------------

    def kill(self, program: Program) -> None:
        """Kill -9 of one program, from outside; returns when it is gone. Gone already is no error."""
        self._ask("POST", "kill", {"pid": program.pid})

    def kill_application(self) -> bool:
        """Kill -9 of every program that listens on the own port; False when there is none."""
        listening = [p for p in self.programs() if self.port in p.listens]
        for program in listening:
            self.kill(program)
        return bool(listening)

    def stop(self) -> None:
        """Stop the instance through EC2 and wait until it is stopped."""
        self.booted()
        self._change("stop_instances", "instance_stopped")

    def start(self) -> Boot:
        """Start it again and wait until it has booted (user data does not run again)."""
        self._change("start_instances", "instance_running")
        return self.boot()

    def _change(self, operation: str, waiter: str) -> None:
        api = self.clients.client("ec2")
        getattr(api, operation)(InstanceIds=[self.instance_id])
        api.get_waiter(waiter).wait(
            InstanceIds=[self.instance_id], WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )

    def _ask(self, method: str, what: str, value: object = None) -> Any:
        self.booted()
        body = None if value is None else json.dumps(value).encode()
        return self.cloud.ask(method, f"instances/{quote(self.instance_id)}/{what}", body)


def _program(value: Mapping[str, Any]) -> Program:
    return Program(value["pid"], tuple(value["command"]), dict(value["environment"]), tuple(value["listens"]))
