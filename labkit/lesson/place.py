"""What steps ask of the place where a lab stands besides AWS's API: whether the server is ready, where images come from.

What belongs here: the local cloud's answers, AWS's, and what only one of them can do. What does not: which place it is
(labkit.lesson.context), AWS's account and region (labkit.lesson.aws).
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.aws.console import boot_state
from labkit.base.errors import UsageError
from labkit.base.events import Emit, Event
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Clients
from labkit.lesson.path.invoking import invoke

#: a server on AWS is ready so long after its start at the latest; its console can be read as late
READY_SECONDS = 300.0
_LOOK_SECONDS = 5.0
_TELL_EACH = 6
#: a presigned URL is good for one sitting
_GOOD_SECONDS = 3600
INPUTS = "lab-inputs"
_LINES = 200

Outputs = Mapping[str, str]


class Place(Protocol):
    """Where a lab stands. `inside`: whether commands can be run in its server from here."""

    @property
    def inside(self) -> bool: ...  # noqa: D102

    def await_boot(self, outputs: Outputs) -> Mapping[str, Any]:
        """How the boot script ended: "state" ok, failed or unknown, "exit_code", and "log", its last lines."""

    def publish(self, outputs: Outputs, name: str, data: bytes) -> str:
        """The URL at which the server finds `data`."""

    def delay_images(self, seconds: float) -> None:
        """Let whoever serves images wait so long before each answer. Raises UsageError where nobody can."""

    def output_inside(self, instance_id: str, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in the server: status and what it printed. Raises UsageError where nobody can."""

    def renew_connections(self, outputs: Outputs, port: int) -> None:
        """End connections that stand between function and server, and wait until both are ready again."""

    def journal(self, outputs: Outputs) -> list[str]:
        """The newest lines of the service's journal; where nobody can look inside, none."""

    def boot_log(self, outputs: Outputs) -> list[str]:
        """The newest lines of the boot log."""


@dataclass(frozen=True)
class Local:
    """The local cloud."""

    cloud: LocalCloud
    inside: bool = True

    def await_boot(self, outputs: Outputs) -> Mapping[str, Any]:
        """See Place."""
        return self.cloud.await_boot(outputs["InstanceId"])

    def publish(self, outputs: Outputs, name: str, data: bytes) -> str:
        """See Place."""
        return self.cloud.publish(name, data)

    def delay_images(self, seconds: float) -> None:
        """See Place."""
        self.cloud.delay_images(seconds)

    def output_inside(self, instance_id: str, words: Sequence[str]) -> tuple[int, str]:
        """See Place."""
        return self.cloud.output_inside(instance_id, words)

    def renew_connections(self, outputs: Outputs, port: int) -> None:
        """See Place."""
        ready = f"for _ in $(seq 100); do curl -sfo /dev/null http://127.0.0.1:{port}/health && break; sleep 0.1; done"
        words = ["/bin/sh", "-c", f"systemctl restart flask-app; {ready}"]
        self.output_inside(outputs["InstanceId"], words)

    def journal(self, outputs: Outputs) -> list[str]:
        """See Place."""
        words = ["journalctl", "-u", "flask-app", "--no-pager", "-n", str(_LINES)]
        return self.output_inside(outputs["InstanceId"], words)[1].splitlines()

    def boot_log(self, outputs: Outputs) -> list[str]:
        """See Place."""
        words = ["tail", "-n", str(_LINES), "/var/log/cloud-init-output.log"]
        return self.output_inside(outputs["InstanceId"], words)[1].splitlines()


@dataclass(frozen=True)
class OnAws:
    """AWS itself, or what stands for it in a rehearsal."""

    clients: Clients
    emit: Emit
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    inside: bool = False

    def await_boot(self, outputs: Outputs) -> Mapping[str, Any]:
        """See Place. "running" is not ready: the console tells the end, minutes late, or the server answers before.

        A server that was started longer ago than READY_SECONDS is not waited for: what is known then is all.
        """
        looks = 0
        while True:
            log, instance = self.boot_log(outputs), self._instance(outputs)
            state = boot_state(log)
            if state == "unknown" and self._answers(outputs):
                state = "ok"
            age = self.clock() - instance["LaunchTime"].timestamp()
            starting = instance["State"]["Name"] in ("pending", "running") and age < READY_SECONDS
            if state != "unknown" or not starting:
                return {"state": state, "exit_code": None, "log": log[-20:]}
            if looks % _TELL_EACH == 0:
                self.emit(Event("note", _WAITING.format(seconds=age)))
            looks += 1
            self.sleep(_LOOK_SECONDS)  # nothing on AWS tells the end of a boot

    def _instance(self, outputs: Outputs) -> Mapping[str, Any]:
        found = self.clients.client("ec2").describe_instances(InstanceIds=[outputs["InstanceId"]])
        return dict(found["Reservations"][0]["Instances"][0])

    def _answers(self, outputs: Outputs) -> bool:
        return invoke(self.clients, outputs["LambdaFunctionName"], {"action": "health"}).status == 200

    def publish(self, outputs: Outputs, name: str, data: bytes) -> str:
        """See Place: a presigned URL of the lab's own bucket, which step 10 empties with the rest."""
        key = f"{INPUTS}/{hashlib.sha256(data).hexdigest()[:16]}/{name}"
        self.clients.client("s3").put_object(Bucket=outputs["BucketName"], Key=key, Body=data)
        wanted = {"Bucket": outputs["BucketName"], "Key": key}
        return str(self.clients.presigner().generate_presigned_url("get_object", wanted, _GOOD_SECONDS))

    def delay_images(self, seconds: float) -> None:
        """See Place."""
        raise UsageError("S3 can't be made slow.", hint="This fault is for the local cloud:  --target local")

    def output_inside(self, instance_id: str, words: Sequence[str]) -> tuple[int, str]:
        """See Place."""
        raise UsageError(
            "From here nobody looks inside a server on AWS: your security group has no door for it, and it should have none.",
            hint="In AWS's console: EC2, your instance, Connect, Session Manager (its role must allow it; LabRole does).",
        )

    def renew_connections(self, outputs: Outputs, port: int) -> None:
        """See Place: a function whose configuration is written, even as it was, gets new environments."""
        api, name = self.clients.client("lambda"), outputs["LambdaFunctionName"]
        as_it_is = api.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        api.update_function_configuration(FunctionName=name, Environment={"Variables": as_it_is})
        api.get_waiter("function_updated_v2").wait(FunctionName=name)

    def journal(self, outputs: Outputs) -> list[str]:
        """See Place."""
        return []

    def boot_log(self, outputs: Outputs) -> list[str]:
        """See Place. AWS: EC2 API reference, GetConsoleOutput (Latest: instances of the Nitro system)."""
        api = self.clients.client("ec2")
        answer = api.get_console_output(InstanceId=outputs["InstanceId"], Latest=True)
        return str(answer.get("Output", "")).splitlines()[-_LINES:]


_WAITING = "Your server boots: 2 to 4 minutes on AWS ({seconds:.0f} s since its start; Ctrl-C is safe, the step goes on later)."
