"""How Terraform is called: which program, with which arguments, settings and environment.

What belongs here: arguments (built by python-terraform, which never runs them), the command line
configuration, the environment, what must be true before a start, and what whoever starts it promises. What does not:
running (labkit.base.processes) or reading what it says (labkit.deploy.terraform_stream).
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from labkit.base import processes, state
from labkit.base.errors import EngineError, EngineMissing
from labkit.base.processes import Completed, run
from labkit.deploy.targets import Keys, Target

#: `init -json` came with Terraform 1.9, with OpenTofu 1.7
OLDEST = {"terraform": (1, 9), "tofu": (1, 7)}
#: the registry whose name stands before a provider's when none is written, as folders of a mirror
TERRAFORM_REGISTRY, TOFU_REGISTRY = "registry.terraform.io", "registry.opentofu.org"
#: what a plan with the AWS provider takes at its peak, measured: 733 MB
MEMORY_NEEDED = 800 << 20
#: a killed kit's Terraform finishes what it has begun; on AWS that may take minutes
LOCK_SECONDS = 600
#: how the names of Terraform's and OpenTofu's own variables begin
_OWN = ("TF_", "TOFU_")

_INSTALL = (
    "Install Terraform 1.11 (developer.hashicorp.com/terraform/install), or use --engine cloudformation."
)


#: the kit's own folder in a folder with a student's files
OWN = ".lab"


class Programs(Protocol):
    """Starts Terraform's commands. They name files by their paths in the folder, which holds all that they need."""

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Completed:
        """Run it to its end. Raises LabError when it can't be started, or is not let go on."""

    def follow(
        self,
        command: Sequence[str],
        on_line: Callable[[str], None],
        folder: Path,
        env: Mapping[str, str],
        output: Path,
    ) -> Completed:
        """The same, calling `on_line` for each line that it writes; all of it goes to the file `output`.

        What `on_line` raises is passed on, and the command goes on by itself.
        """

    def is_initialised(self, folder: Path) -> bool:
        """Whether `init` was run for this folder."""


class OnThisMachine:
    """Terraform's commands as programs of this user, who trusts the files."""

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Completed:
        """See Programs."""
        return run(command, cwd=folder, env=env)

    def follow(
        self,
        command: Sequence[str],
        on_line: Callable[[str], None],
        folder: Path,
        env: Mapping[str, str],
        output: Path,
    ) -> Completed:
        """See Programs."""
        return processes.follow(command, on_line, output=output, cwd=folder, env=env)

    def is_initialised(self, folder: Path) -> bool:
        """See Programs."""
        packages = list((folder / ".terraform" / "providers").glob("*/*/*/*/*"))  # links into the cache
        return (
            (folder / ".terraform.lock.hcl").exists() and bool(packages) and all(p.exists() for p in packages)
        )


@dataclass(frozen=True)
class Setup:
    """Terraform on this machine. `folder` is the kit's own place for settings, logs and plug-ins.

    `programs` starts its commands. `lock_seconds`: how long to wait for another Terraform that is at work on the same files. `mirror` is a folder laid out as a filesystem mirror; "" means the public registry.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    which: Callable[[str], str | None] = shutil.which
    memory: Callable[[], int | None] = lambda: available_memory()
    lock_seconds: int = LOCK_SECONDS
    programs: Programs = field(default_factory=OnThisMachine)

    @property
    def mirror(self) -> str:
        """What LAB_TF_MIRROR names."""
        return self.environment.get("LAB_TF_MIRROR", "")

    @property
    def plugins(self) -> Path:
        """The cache of plug-ins, laid out as a filesystem mirror of unpacked packages."""
        return self.folder / "plugins"

    def program(self) -> str:
        """Terraform, or OpenTofu where that is what there is. Raises EngineError when there is neither."""
        for name in ("terraform", "tofu"):
            found = self.which(name)
            if found:
                return found
        raise EngineMissing("Terraform is not installed here.", hint=_INSTALL)

    def check(self) -> None:
        """Refuse to start what can't end well: Terraform too old, no mirror, too little memory."""
        program = Path(self.program())
        version, oldest = self._version(str(program)), OLDEST[program.name]
        if version < oldest:
            raise EngineMissing(
                f"{program.name} {'.'.join(map(str, version))} is too old: the lab needs "
                f"{'.'.join(map(str, oldest))} or newer.",
                hint=_INSTALL,
            )
        if self.mirror and not Path(self.mirror).is_dir():
            raise EngineMissing(
                f"LAB_TF_MIRROR names {self.mirror}, which is no folder.",
                hint="Name a folder with a filesystem mirror, or unset LAB_TF_MIRROR to use the registry.",
            )
        free = self.memory()
        if free is not None and free < MEMORY_NEEDED:
            raise EngineError(
                f"Terraform with the AWS provider takes about {MEMORY_NEEDED >> 20} MB of memory; "
                f"{free >> 20} MB are free.",
                hint="Close some programs and try again, or use --engine cloudformation.",
            )

    def write_configuration(self) -> Path:
        """Write the command line configuration and make the plug-in cache; returns the configuration's path.

        Terraform: "CLI Configuration File", provider_installation and plugin_cache_dir.
        """
        self.plugins.mkdir(parents=True, exist_ok=True)
        path = self.folder / "config.tfrc"
        text = configuration(self.plugins, self.usable_mirror())
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            state.write_text(path, text)
        return path

    def usable_mirror(self) -> str:
        """The mirror; for OpenTofu one of links, in which the same providers stand under both registries' names.

        OpenTofu documentation, "Provider Requirements": hashicorp/aws is registry.opentofu.org/hashicorp/aws.
        """
        given = Path(self.mirror)
        named = given / TERRAFORM_REGISTRY
        if not self.mirror or Path(self.program()).name != "tofu" or not named.is_dir():
            return self.mirror
        links = self.folder / "mirror"
        for host in (TERRAFORM_REGISTRY, TOFU_REGISTRY):
            _link_packages(named, links / host)
        return str(links)

    def variables(self, target: Target, keys: Keys | None = None) -> dict[str, str]:
        """The whole environment of a run at `target`, as the holder of `keys` where some are given.

        Nothing of Terraform's is inherited (a dangling TF_CLI_CONFIG_FILE ends every command), and for the
        local cloud nothing of AWS's.
        """
        hidden = (*_OWN, "AWS_") if target.is_local else _OWN
        kept = {n: v for n, v in self.environment.items() if not n.startswith(hidden)}
        if target.is_local:
            kept["AWS_MAX_ATTEMPTS"] = (
                "3"  # nothing there is slow to become true; a dead cloud is told at once
            )
        return kept | {
            **target.environment(),
            **(keys.environment() if keys else {}),
            "TF_CLI_CONFIG_FILE": str(self.write_configuration()),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            **({} if target.is_local else {"TF_WORKSPACE": target.name}),
        }

    def offline(self) -> dict[str, str]:
        """The environment of a run that asks no cloud."""
        return _plain(self.environment) | {"TF_CLI_CONFIG_FILE": str(self.write_configuration())}

    def _version(self, program: str) -> tuple[int, int]:
        done = run([program, "version", "-json"], env=_plain(self.environment), timeout=60)
        return version_of(done, program)


def _link_packages(given: Path, place: Path) -> None:
    """The providers below `given`, below `place` too: links to packages only, since no folder above them may be one.

    Terraform: "Provider Installation", filesystem mirror: NAMESPACE/TYPE/VERSION/TARGET, or a zip in NAMESPACE/TYPE.
    """
    for package in (*given.glob("*/*/*/*"), *given.glob("*/*/*.zip")):
        link, real = place / package.relative_to(given), package.absolute()
        if not (link.is_symlink() and link.readlink() == real):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(real)


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    settings = {n: v for n, v in environment.items() if not n.startswith(_OWN)}
    return settings | {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}


def version_of(done: Completed, program: str) -> tuple[int, int]:
    """Major and minor version from what `version -json` left. Raises EngineError when it left something else."""
    try:
        found = re.match(r"(\d+)\.(\d+)", json.loads(done.output)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        found = None
    if found is None:
        last = (done.errors or done.output).strip().splitlines()[-1:] or ["nothing"]
        raise EngineError(f"{program} does not say its version. It said: {last[0]}", hint=_INSTALL)
    return int(found[1]), int(found[2])


def configuration(plugins: Path | None, mirror: str) -> str:
    """The text of the command line configuration: a cache of plug-ins, if any, and the mirror where there is one.

    Without a mirror the registry is named alone: else Terraform would take programs from terraform.d/plugins beside the
    files as well ("CLI Configuration File", Implied Local Mirrors).
    """
    source = "  direct {\n  }\n"
    if mirror:
        source = f"  filesystem_mirror {{\n    path = {json.dumps(str(Path(mirror).absolute()))}\n  }}\n"
    cache = f"plugin_cache_dir = {json.dumps(str(plugins))}\n" if plugins else ""
    return f"{cache}provider_installation {{\n{source}}}\n"


def available_memory() -> int | None:
    """Bytes that could be had without swapping; None where the system does not say (not Linux)."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"MemAvailable:\s*(\d+) kB", text)
    return int(found[1]) << 10 if found else None


@dataclass(frozen=True)
class Commands:
    """Terraform's commands as argument lists, to be run in `files`. `folder` holds no state file, so python-terraform
    reads none."""

    program: str
    folder: Path
    files: Path
    values: Mapping[str, Any]
    lock_seconds: int = LOCK_SECONDS

    def init(self) -> list[str]:
        """Fetch the provider that the files ask for; no upgrade, no questions."""
        return self._plain("init", json=True, input=False, no_color=True)

    def validate(self) -> list[str]:
        """Check the files alone; one JSON object."""
        return self._plain("validate", json=True, no_color=True)

    def output(self) -> list[str]:
        """All outputs of the state; one JSON object."""
        return self._plain("output", json=True, no_color=True)

    def show(self, plan: str) -> list[str]:
        """A saved plan; one JSON object."""
        return [*self._plain("show", json=True, no_color=True), plan]

    @contextlib.contextmanager
    def test(self, folder: Path) -> Iterator[list[str]]:
        """Run the test files in `folder` and show the plans they make; a stream of JSON lines."""
        options = {"json": True, "no_color": True, "verbose": True, "test_directory": str(folder)}
        with self._with_values("test", options) as command:
            yield command

    @contextlib.contextmanager
    def plan(self, out: str) -> Iterator[list[str]]:
        """Plan into the file `out`; a stream of JSON lines."""
        with self._with_values("plan", {**self._common, "out": out}) as command:
            yield command

    @contextlib.contextmanager
    def apply(self) -> Iterator[list[str]]:
        """Plan and apply in one; a stream of JSON lines."""
        with self._with_values("apply", {**self._common, "auto_approve": True}) as command:
            yield command

    @contextlib.contextmanager
    def destroy(self) -> Iterator[list[str]]:
        """Destroy everything in the state; a stream of JSON lines.

        Not python-terraform's destroy(): that adds -force, which Terraform refuses since 0.15.
        """
        with self._with_values("destroy", {**self._common, "auto_approve": True}) as command:
            yield command

    @property
    def _common(self) -> Mapping[str, Any]:
        return {"json": True, "input": False, "no_color": True, "lock_timeout": f"{self.lock_seconds}s"}

    @contextlib.contextmanager
    def _with_values(self, name: str, options: Mapping[str, Any]) -> Iterator[list[str]]:
        """The command with the values in a file of variables, which exists while the body runs."""
        with own_folder(self.files, "values-") as folder:
            name_of_file = f"{folder}/values.tfvars.json"
            state.write_json(self.files / name_of_file, dict(self.values))
            yield self._plain(name, **options, var_file=name_of_file)

    def _plain(self, name: str, **options: Any) -> list[str]:
        from python_terraform import Terraform

        return _built(Terraform(working_dir=str(self.folder), terraform_bin_path=self.program), name, options)


@contextlib.contextmanager
def own_folder(files: Path, prefix: str) -> Iterator[str]:
    """A folder of the kit's own beside the files, by its path from there, which exists while the body runs."""
    place = files / OWN
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as made:
        yield f"{OWN}/{Path(made).name}"


def _built(builder: Any, name: str, options: Mapping[str, Any]) -> list[str]:
    from python_terraform import IsFlagged

    switches = {"json", "no_color", "auto_approve", "verbose"}
    given = {key: IsFlagged if key in switches else value for key, value in options.items()}
    command: Sequence[str] = builder.generate_cmd_string(name, **given)
    return list(command)
