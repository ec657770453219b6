"""EC2's data plane: boots, stops, reboots and ends instances, each a sandbox with a disk and an address.

What belongs here: when disk, interface, sockets and process come and go, and who is told. What
does not: the process itself (machine), what happens inside (init), what the reports say (guest), when to do it (the reconciler).
"""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labkit.aws import addresses
from labkit.aws.records import Caller, InstanceRecord
from labkit.base.errors import LabError
from labkit.base.events import Emit, Event, ignore
from labkit.cloud.instances.disks import Disks
from labkit.cloud.instances.guest import Boot
from labkit.cloud.instances.image import Image
from labkit.cloud.instances.machine import Machine
from labkit.cloud.instances.metadata import MetadataService
from labkit.cloud.instances.secure_shell import Inside, SecureShell
from labkit.cloud.instances.spec import interface_of, limits_of, spec_of
from labkit.cloud.instances.system import messages
from labkit.cloud.instances.watching import Watcher
from labkit.cloud.pace import AT_HOME, Pace
from labkit.cloud.ports import AwsAccess, CredentialIssuer, Fabric, Sandbox, Sandboxes, Serving

_METADATA = (addresses.METADATA_ADDRESS, addresses.METADATA_PORT)
_SSH_PORT = 22
#: EC2 waits longer; a unit that needs more than this to stop is ended
STOP_SECONDS = 10.0
#: where the cloud ends, and the disks stay
LEAVE_SECONDS, _STOPPED_AT_ONCE = 3.0, 8
#: terminated instances whose console can still be read
_ENDED_KEPT = 16


@dataclass(frozen=True)
class Surroundings:
    """What instances are made with and connected to."""

    sandboxes: Sandboxes
    fabric: Fabric
    credentials: CredentialIssuer
    serving: Serving
    access: AwsAccess
    image: Image
    emit: Emit = ignore
    #: told of an instance that was shut down from inside
    powered_off: Callable[[InstanceRecord], None] = lambda record: None
    #: where disks lie that are to outlive this manager; None: in memory
    disks: Disks | None = None
    #: how late boots and consoles are
    pace: Pace = AT_HOME


class InstanceManager:
    """Runs instances. Safe to call from many threads; calls about one instance wait for each other."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()
        self._watcher = Watcher()
        self._ssh = SecureShell(Inside(self.run_inside, _connect_by(around.fabric)))
        self._closing = False

    # -- life -------------------------------------------------------------------------------------------

    def start(self, record: InstanceRecord) -> None:
        """Boot it: with its user data the first time, from its disk later; as late as the pace says. Nothing when it runs.

        Raises SandboxError where the machine refuses; the boot is then "failed" and says why.
        """
        with self._lock:
            machine = self._machines.setdefault(record.instance_id, Machine(record, self._watcher))
        with machine.busy:
            if machine.sandbox is None:
                machine.record = record
                self._boot_in_time(machine)

    def know(self, record: InstanceRecord) -> None:
        """An instance that is stopped, since before this manager was made."""
        machine = Machine(record, self._watcher)
        machine.guest.end()
        with self._lock:
            self._machines.setdefault(record.instance_id, machine)

    @property
    def disks_last(self) -> bool:
        """Whether disks outlive this manager."""
        return self._around.disks is not None

    def forget_disks(self, living: Sequence[str]) -> list[str]:
        """Remove the kept disks of all other instances; the living ones that have none, and boot as new ones."""
        disks = self._around.disks
        if disks is None:
            return list(living)
        disks.forget_others(living)
        return [name for name in living if not disks.is_kept(name)]

    def refresh(self, record: InstanceRecord) -> None:
        """Take over what changed of a running instance: tags, groups, public address, options."""
        machine = self._machine(record.instance_id)
        with machine.busy:
            machine.record = record
            if machine.sandbox is not None:
                self._around.fabric.update_interface(interface_of(record))

    def stop(self, instance_id: str) -> None:
        """Shut it down: units are stopped, then the process; the disk stays. Nothing when it is down."""
        machine = self._machine(instance_id)
        with machine.busy:
            self._has_booted(machine)
            machine.shut_down(STOP_SECONDS)
            self._disconnect(machine)

    def reboot(self, instance_id: str) -> None:
        """Shut it down and boot it again with the same disk and addresses."""
        machine = self._machine(instance_id)
        with machine.busy:
            if machine.starting is not None:
                return  # it boots in any case
            self._has_booted(machine)
            machine.shut_down(STOP_SECONDS)
            self._run(machine)

    def terminate(self, instance_id: str) -> None:
        """End it at once and drop its disk. Its console and boot stay known for a while, as on AWS."""
        machine = self._machine(instance_id)
        with machine.busy:
            machine.shut_down(0)
            self._disconnect(machine)
            if machine.has_disk:
                machine.has_disk = False
                self._around.sandboxes.remove_disk(instance_id)
            if self._around.disks is not None:
                self._around.disks.remove(instance_id)
        self._forget_oldest()

    def close(self) -> None:
        """End every instance; those whose disks last are stopped."""
        self._closing = True
        if self._around.disks is None:
            for instance_id in list(self._machines):
                self.terminate(instance_id)
        else:
            with ThreadPoolExecutor(_STOPPED_AT_ONCE) as stoppers:
                list(stoppers.map(self._leave, list(self._machines.values())))
        self._ssh.close()
        self._watcher.close()

    def _leave(self, machine: Machine) -> None:
        with machine.busy:
            machine.shut_down(LEAVE_SECONDS)
            self._disconnect(machine)

    # -- questions ----------------------------------------------------------------------------------------

    def console_output(self, instance_id: str) -> bytes:
        """The newest 64 KB of the console of this boot, as GetConsoleOutput gives them.

        AWS: EC2, GetConsoleOutput
        (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html).
        """
        guest, pace = self._machine(instance_id).guest, self._around.pace
        if pace.console and guest.age < pace.console:
            pace.counts.add("console not there yet")
            return b""
        return guest.console()

    def boot(self, instance_id: str) -> Boot:
        """How its boot stands; "pending" for an instance never heard of."""
        machine = self._machines.get(instance_id)
        return machine.guest.boot() if machine else Boot()

    def status_check(self, instance_id: str) -> str:
        """What its status checks say: "ok" once user data has ended, however; "initializing" before."""
        return "ok" if self.boot(instance_id).state in ("ok", "failed") else "initializing"

    def wait_booted(self, instance_id: str, timeout: float) -> Boot:
        """Its boot once user data has ended, or as it stands after `timeout` seconds."""
        return self._machine(instance_id).guest.wait_booted(timeout)

    def wait_unit(self, instance_id: str, unit: str, state: str, timeout: float) -> bool:
        """Whether `unit` ("flask-app.service") is or becomes `state` within `timeout` seconds."""
        return self._machine(instance_id).guest.wait_unit(unit, state, timeout)

    def units(self, instance_id: str) -> Mapping[str, messages.UnitState]:
        """The units started since boot, as process 1 reports them (not to be trusted)."""
        return self._machine(instance_id).guest.units()

    def journal(
        self, instance_id: str, unit: str = "", lines: int = 100, since: float = 0.0
    ) -> tuple[str, ...]:
        """The last lines of the journal (of `unit`, since then); nothing when it is down or does not answer."""
        machine = self._machine(instance_id)
        question = machine.guest.question()
        request = {"do": "journal", "question": question, "unit": unit, "lines": lines, "since": since}
        if not machine.send(request):
            return ()
        return machine.guest.answer(question)

    def run_inside(self, instance_id: str, words: Sequence[str], descriptors: Sequence[int]) -> int:
        """Run a command as root inside, on these three descriptors; returns its status when it ends.

        No words: a login shell. A terminal among the descriptors becomes its controlling terminal. The
        caller keeps its own descriptors. 255 when the instance is down or goes down.
        """
        machine = self._machine(instance_id)
        question = machine.guest.question()
        request = {"do": "shell", "question": question, "words": list(words)}
        if not machine.send(request, descriptors):
            return 255
        return machine.guest.shell_ended(question)

    def metadata_requests(self, instance_id: str) -> tuple[str, ...]:
        """What its metadata service was asked for, oldest first: paths with their queries; () for one never heard of."""
        machine = self._machines.get(instance_id)
        return tuple(machine.metadata_requests) if machine else ()

    def process_id(self, instance_id: str) -> int:
        """Its process 1 as this machine numbers it; 0 when it is down or never heard of."""
        machine = self._machines.get(instance_id)
        sandbox = machine.sandbox if machine else None
        return sandbox.pid if sandbox else 0

    def _forget_oldest(self) -> None:
        with self._lock:
            ended = [name for name, machine in self._machines.items() if not machine.has_disk]
            for name in ended[:-_ENDED_KEPT]:
                del self._machines[name]

    # -- the steps ------------------------------------------------------------------------------------------

    def _machine(self, instance_id: str) -> Machine:
        machine = self._machines.get(instance_id)
        if machine is None:
            raise LabError(
                f"No instance {instance_id} runs in this cloud.", hint="List them: ./lab cloud status"
            )
        return machine

    def _boot_in_time(self, machine: Machine) -> None:
        pace = self._around.pace
        if not pace.boot:
            self._boot(machine)
            return
        pace.counts.add("boot late")
        machine.starting = threading.Timer(pace.boot, self._boot_late, (machine,))
        machine.starting.daemon = True
        machine.starting.start()

    def _boot_late(self, machine: Machine) -> None:
        """Boot it, unless it was stopped or ended meanwhile. Why it could not, says its boot."""
        with machine.busy:
            if machine.starting is not threading.current_thread():
                return
            machine.starting = None
            try:
                self._boot(machine)
            except LabError as error:
                self._around.emit(Event("warning", f"{machine.record.instance_id}: {error.message}"))

    def _boot(self, machine: Machine) -> None:
        record = machine.record
        try:
            if not machine.has_disk:
                self._make_disk(record)
                machine.has_disk = True
            self._connect(machine)
            self._run(machine)
        except BaseException as error:
            self._disconnect(machine)
            machine.guest.end(why=str(error))
            raise

    def _make_disk(self, record: InstanceRecord) -> None:
        limits = limits_of(record)
        disks = self._around.disks
        folder = {} if disks is None else {"folder": disks.place(record.instance_id)}
        self._around.sandboxes.make_disk(
            record.instance_id, size_mb=limits.disk_mb, files=limits.files, **folder
        )

    def _connect(self, machine: Machine) -> None:
        """Its interface, and on it the AWS API and the metadata service."""
        record, around = machine.record, self._around
        name = record.instance_id
        metadata, ssh, *sockets = around.fabric.attach(
            interface_of(record),
            loopback=(addresses.METADATA_ADDRESS, *around.access.loopback),
            listen=(_METADATA, (record.private_ip, _SSH_PORT), *around.access.listen),
            datagrams=around.access.datagrams,
        )
        around.access.open(name, Caller("instance", name), sockets)
        service = MetadataService(
            lambda: machine.record, around.credentials, asked=machine.metadata_requests.append
        )
        around.serving.serve(metadata, service, name=f"{name}/metadata")
        self._ssh.serve(name, ssh)

    def _disconnect(self, machine: Machine) -> None:
        name = machine.record.instance_id
        self._around.access.close(name)
        self._around.serving.stop(f"{name}/metadata")
        self._ssh.stop(name)
        self._around.fabric.detach(name)

    def _run(self, machine: Machine) -> None:
        """Start process 1; what it says is heard from now on."""
        around = self._around
        machine.run(
            around.sandboxes,
            spec_of(machine.record, around.image, around.access),
            self._told,
            self._ended_by_itself,
        )

    def _told(self, machine: Machine, report: messages.Report) -> None:
        if isinstance(report, messages.UserDataEnded | messages.Booted | messages.Halt):
            self._has_booted(machine)
        if isinstance(report, messages.UserDataEnded):
            boot = machine.guest.boot()
            text = f"{machine.record.instance_id}: user data ended after {boot.seconds:.2f} s"
            failed = f" with exit status {boot.exit_code}" if boot.exit_code else ""
            self._around.emit(
                Event("warning" if failed else "note", text + failed, {"tail": list(boot.tail)})
            )

    def _has_booted(self, machine: Machine) -> None:
        """Its user data is not run again, whatever comes."""
        if self._around.disks is not None:
            self._around.disks.keep(machine.record.instance_id)

    def _ended_by_itself(self, machine: Machine, sandbox: Sandbox) -> None:
        """Process 1 ended without being asked: a power off or reboot from inside, or a crash."""
        threading.Thread(
            target=self._after_end, args=(machine, sandbox), name="instance end", daemon=True
        ).start()

    def _after_end(self, machine: Machine, sandbox: Sandbox) -> None:
        if self._settle_end(machine, sandbox):
            self._around.powered_off(machine.record)

    def _settle_end(self, machine: Machine, sandbox: Sandbox) -> bool:
        """Boot again where that was asked for; else take it off the network. Whether it is off for good."""
        with machine.busy:
            if machine.sandbox is not sandbox or self._closing:
                return False
            again = machine.guest.reboot_asked
            machine.shut_down(0)
            if again:
                self._run(machine)
            else:
                self._disconnect(machine)
                self._around.emit(Event("note", f"{machine.record.instance_id}: shut down from inside"))
            return not again


def _connect_by(fabric: Fabric) -> Callable[[str, str, int, float], socket.socket]:
    return lambda name, address, port, seconds: fabric.connect(name, address, port, timeout=seconds)
