"""Terraform in a sandbox: how a grading starts it, since the files are somebody else's.

What belongs here: what Terraform's processes are given and let do, and what comes back from them. What does not: which
commands (labkit.deploy.terraform), looking the files over before (refusal), sandboxes in general (labkit.sandbox).

Each command is a sandbox of its own: a copy of the folder, the program, the provider, a network that leads to the
cloud alone. State and plan come back as plain files of a limited size; all else is gone with the judging.
"""

import contextlib
import hashlib
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from labkit.base import processes, state
from labkit.base.errors import DeployError, EngineError, SandboxError, SandboxUnavailable
from labkit.base.processes import Completed
from labkit.deploy import terraform_state
from labkit.deploy.terraform_command import OWN, Setup, configuration
from labkit.grading.intake import refusal
from labkit.sandbox import capture, exchange, tiers
from labkit.sandbox.capture import Finished
from labkit.sandbox.forwarding import forwarded
from labkit.sandbox.handle import Handle
from labkit.sandbox.portable import readable
from labkit.sandbox.portable.host import PortableHost
from labkit.sandbox.portable.inside.world import Network
from labkit.sandbox.spec import Bind, Limits, SandboxSpec

#: a plan of the lab takes 900 MB, a deployment 15 s of processor
LIMITS = Limits(
    memory_mb=2048, processes=400, cpu_seconds=150, file_mb=32, open_files=1024, disk_mb=64, files=2048
)
#: of one command: a grading gives a line up after 300
SECONDS = 200.0
#: bytes of what comes back: a hundred times what the lab's are
_MOST = 16 << 20
_FOLDER, _INTERFACE = "/lab", "terraform"
#: what Terraform keeps on its disk from one command to the next
_KEPT = (".terraform",)
_RESULTS = (terraform_state.NAME, terraform_state.BACKUP, ".terraform.lock.hcl")
_CONFIGURATION = f"{OWN}/config.tfrc"
_PASSED_ON = ("AWS_", "TF_", "CHECKPOINT_")
#: for a program that is not static
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_INTERPRETER = 3  # PT_INTERP of ELF(5)
#: of processes that want to run for each processor: more than Terraform itself can bring about
_BUSY = 3


def refuse_where_nothing_holds(choice: tiers.Choice) -> None:
    """Raise SandboxUnavailable in a tier that keeps nobody's Terraform from anything."""
    if choice.tier == tiers.POSIX:
        raise SandboxUnavailable(
            "Somebody else's Terraform is not run here: this machine has neither namespaces nor Landlock to keep it "
            "from your files and the network.",
            hint="Grade it on Linux, in WSL2, or in the .devcontainer (docs/tiers.md).",
        )


def open_tier(tier: str, preload: Sequence[str]) -> tiers.AnyHost:
    """As tiers.open_tier, and as root with users of its own also where those can't read this Python.

    What is done in it needs nothing of Python that is not imported before.
    """
    if tier == tiers.NAMESPACES or os.geteuid() != 0 or readable.by_others():
        return tiers.open_tier(tier, preload)
    python = sys.executable
    with contextlib.suppress(OSError):
        python = readable.copy()
    return tiers.open_tier(tier, preload, python=python)


@dataclass
class TerraformSandbox:
    """Terraform's commands for one judging (see labkit.deploy.terraform_command.Programs). Also a context manager.

    `setup`: Terraform on this machine, whose folder is ours. `own`: the files are those of whoever runs this. For one
    command at a time.
    """

    setup: Setup
    own: bool = False
    limits: Limits = LIMITS
    seconds: float = SECONDS
    _opened: tiers.Opened | None = None
    _disks: dict[Path, str] = field(default_factory=dict)
    _initialised: set[Path] = field(default_factory=set)
    _stopped: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "TerraformSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that it started. Twice is no error."""
        if self._opened is not None:
            self._opened.host.close()
            self._opened = None

    # -- what the engine asks for -------------------------------------------------------------------------

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Completed:
        """See Programs. Raises DeployError when it was stopped, SandboxError when it can't be started."""
        return _completed(self._run(command, folder, env, lambda _: None))

    def follow(
        self,
        command: Sequence[str],
        on_line: Callable[[str], None],
        folder: Path,
        env: Mapping[str, str],
        output: Path,
    ) -> Completed:
        """See Programs; what `on_line` raises is passed on when the command has ended. Raises as run()."""
        if command[1] == "init" and (got := self._get_provider(folder, env)).status:
            for line in got.output.splitlines():
                on_line(line)
            return got
        lines = _Lines(on_line)
        done = self._run(command, folder, env, lines.take)
        state.write_bytes(output, done.output + done.errors)
        lines.take(done.errors + b"\n")
        if lines.raised is not None:
            raise lines.raised
        if command[1] == "init" and done.code == 0:
            self._initialised.add(folder)
        return _completed(done)

    def is_initialised(self, folder: Path) -> bool:
        """See Programs."""
        return folder in self._initialised

    # -- one command ------------------------------------------------------------------------------------

    def _run(
        self, command: Sequence[str], folder: Path, env: Mapping[str, str], heard: Callable[[bytes], None]
    ) -> Finished:
        files = _files(folder)
        key = _key(files)
        if key in self._stopped:
            raise DeployError(self._stopped[key], hint=_HINT)
        places = {
            f"{plan.rpartition('/')[0]}/.place": b"" for plan in _plans(command)
        }  # a folder goes with a file in it
        self._fill(folder, {**files, **places})
        with self._reached(self._spec(command, folder, env), env) as (spec, started):
            done = capture.run(
                self._host, spec, seconds=self.seconds, output_bytes=_MOST, started=started, heard=heard
            )
        self._fetch(folder, command)
        if why := self._reason_to_stop(done):
            self._stopped[key] = f"Terraform was stopped: with these files it takes {why}."
            raise DeployError(self._stopped[key], hint=_HINT)
        return done

    def _reason_to_stop(self, done: Finished) -> str:
        """What a command was stopped for, "" when it ended by itself. Raises EngineError for want of processors."""
        if done.reason == "time" and os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1):
            raise EngineError(
                f"Terraform was not done after {self.seconds:.0f} seconds: this machine is too busy.",
                hint="Let fewer gradings run at once, then run the same command again.",
            )
        if done.reason == "exit" and done.code in (-signal.SIGKILL, -signal.SIGXCPU):
            return f"more than {self.limits.cpu_seconds} seconds of a processor"
        return {
            "memory": f"more than {self.limits.memory_mb} MB of memory",
            "time": f"more than {self.seconds:.0f} seconds",
            "output": f"more than {_MOST >> 20} MB of output",
        }.get(done.reason, "")

    @property
    def _host(self) -> tiers.AnyHost:
        """Made when it is first needed. Raises SandboxUnavailable."""
        if self._opened is None:
            wanted, required = tiers.wanted_here()
            opened = tiers.open_best((exchange.__name__,), wanted=wanted, required=required, opener=open_tier)
            try:
                if not self.own:
                    refuse_where_nothing_holds(opened.choice)
            except SandboxUnavailable:
                opened.host.close()
                raise
            self._opened = opened
        return self._opened.host

    def _spec(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> SandboxSpec:
        program = Path(command[0]).resolve()
        paths = {str(program), *self._mirrors()}
        if not is_static(program):
            paths |= {path for path in _LIBRARIES if Path(path).exists()}
        kept = {name: value for name, value in env.items() if name.startswith(_PASSED_ON)}
        return replace(
            self._disk_spec(folder),
            command=(str(program), *command[1:]),
            bare=True,
            binds=tuple(Bind(path, path) for path in sorted(paths)),
            env={**kept, "TF_CLI_CONFIG_FILE": _CONFIGURATION, "HOME": "/tmp", "TMPDIR": "/tmp"},
        )

    def _disk_spec(self, folder: Path) -> SandboxSpec:
        if folder not in self._disks:
            name = f"terraform-{len(self._disks)}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
            self._host.make_disk(name, size_mb=self.limits.disk_mb, files=self.limits.files)
            self._disks[folder] = name
        return SandboxSpec(
            name="terraform", disk=self._disks[folder], disk_paths=(_FOLDER,), cwd=_FOLDER, limits=self.limits
        )

    @contextlib.contextmanager
    def _reached(
        self, spec: SandboxSpec, env: Mapping[str, str]
    ) -> Iterator[tuple[SandboxSpec, Callable[[Handle], None]]]:
        """The spec with a network that leads to the cloud alone, and what is to be done once it runs."""
        address = endpoint_of(env)
        with contextlib.ExitStack() as serving:
            if isinstance(self._host, PortableHost):
                self._host.place(_INTERFACE, Network(direct={f"{address[0]}:{address[1]}": address[1]}))
                yield replace(spec, interface=_INTERFACE), lambda _: None
            else:

                def serve(sandbox: Handle) -> None:
                    serving.enter_context(forwarded(sandbox.listeners[0], address))

                yield replace(spec, listen=(address,)), serve

    # -- files --------------------------------------------------------------------------------------------

    def _fill(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Put the files on the folder's disk; on a new one, where what was left on it leaves no room."""
        own = {_CONFIGURATION: configuration(None, self._mirrors()[0]).encode()}
        try:
            exchange.fill(self._host, self._disk_spec(folder), {**files, **own}, _KEPT)
        except SandboxError:
            self._initialised.discard(folder)
            self._host.remove_disk(self._disks.pop(folder))
            exchange.fill(self._host, self._disk_spec(folder), {**files, **own}, _KEPT)

    def _fetch(self, folder: Path, command: Sequence[str]) -> None:
        """Take over what the command has left. Raises DeployError when that can't be read."""
        try:
            found = exchange.fetch(self._host, self._disk_spec(folder), (*_RESULTS, *_plans(command)), _MOST)
        except SandboxError as error:
            raise DeployError(f"What Terraform left can't be read: {error.message}", hint=_HINT) from error
        for name, data in found.items():
            state.write_bytes(folder / name, data, mode=0o600)

    # -- the provider -----------------------------------------------------------------------------------

    def _mirrors(self) -> tuple[str, ...]:
        """The folder in which Terraform finds the provider, unpacked, and those that its links lead to."""
        mirror = self.setup.usable_mirror()
        if mirror and any(Path(mirror).glob("*/hashicorp/aws/*/*/")):
            return (mirror, self.setup.mirror)
        return tuple(filter(None, (str(self.setup.plugins), self.setup.mirror)))

    def _get_provider(self, folder: Path, env: Mapping[str, str]) -> Completed:
        """Get the provider of the version that the files ask for, unless it lies in a mirror, unpacked.

        Terraform's `init` gets it outside of any sandbox, for files of ours in which nothing but the versions is theirs.
        """
        if str(self.setup.plugins) not in self._mirrors():
            return Completed(0, "", "")
        texts = {name: data.decode("utf-8", "replace") for name, data in _files(folder).items()}
        aws = {"source": "hashicorp/aws", "version": ", ".join(refusal.versions(texts)) or ">= 5"}
        place = self.setup.folder / "provider"
        asked = {"terraform": {"required_providers": {"aws": aws}}}
        state.write_text(place / "main.tf.json", json.dumps(asked))
        command = [self.setup.program(), "init", "-json", "-input=false", "-no-color", "-upgrade"]
        return processes.run(command, cwd=place, env=env)


_HINT = "Look for loops in loops, counts and texts far larger than the lab's, then run the step again."


class _Lines:
    """Whole lines of pieces. What their reader raises is kept, and nothing more told to it."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line, self._rest = on_line, b""
        self.raised: Exception | None = None

    def take(self, piece: bytes) -> None:
        """Hand on the lines that are whole now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines if self.raised is None else ():
            try:
                self._on_line(line.decode("utf-8", "replace"))
            except Exception as error:
                self.raised = error
                return


def _completed(done: Finished) -> Completed:
    return Completed(
        done.code, done.output.decode("utf-8", "replace"), done.errors.decode("utf-8", "replace")
    )


def _plans(command: Sequence[str]) -> tuple[str, ...]:
    """The files into which the command writes plans."""
    return tuple(word.removeprefix("-out=") for word in command if word.startswith("-out="))


def _files(folder: Path) -> dict[str, bytes]:
    """What is in the folder, by relative path, without what is kept on the disk."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    named = {str(path.relative_to(folder)): path for path in found}
    return {name: path.read_bytes() for name, path in named.items() if name.partition("/")[0] not in _KEPT}


def _key(files: Mapping[str, bytes]) -> str:
    """Says the same of files that mean the same to Terraform, whatever its own state."""
    whole = hashlib.sha256()
    for name, data in sorted(files.items()):
        if refusal.is_terraforms(name) and not name.startswith("."):
            whole.update(f"{name}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


def endpoint_of(env: Mapping[str, str]) -> tuple[str, int]:
    """Address and port of the local cloud that the environment names. Raises EngineError for anything else."""
    found = urlsplit(env.get("AWS_ENDPOINT_URL", ""))
    if found.scheme != "http" or found.hostname != "127.0.0.1" or found.port is None:
        raise EngineError("Terraform is graded in a local cloud only.")
    return found.hostname, found.port


def is_static(program: Path) -> bool:
    """Whether an ELF program of 64 bits needs no other file to run."""
    with program.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return False
        (start,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<HH", head, 54)
        file.seek(start)
        table = file.read(size * count)
    return all(
        table[at : at + 4] != struct.pack("<I", _INTERPRETER) for at in range(0, len(table), size or 1)
    )
