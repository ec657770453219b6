"""Where units lie on the instance's disk: finding, loading, enabling, masking.

What belongs here: folders, links, templates. What does not: syntax (units) and running (services).
Runs inside the instance: standard library only. Promises copy systemctl(1) and systemd.unit(5).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.cloud.instances.system.units import Service, UnitError, parse, service

ETC = "/etc/systemd/system"
FOLDERS = (ETC, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
BOOT_TARGETS = ("multi-user.target", "default.target", "graphical.target", "network-online.target")
#: reached as soon as the instance runs; scripts ask for them with is-active
TARGETS = (*BOOT_TARGETS, "network.target", "basic.target", "sysinit.target", "cloud-init.target")

NO_INSTALL = (
    "The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\n"
    "Alias= settings in the [Install] section, and DefaultInstance= for template\n"
    "units). This means they are not meant to be enabled using systemctl.\n"
)


class NoUnit(Exception):
    """There is no such unit; the text is its name."""


class Masked(Exception):
    """The unit is masked; the text is its name."""


@dataclass
class UnitFiles:
    """The unit files below `root` ("" is the machine itself). `say` hears systemd's warnings."""

    say: Callable[[str, str], None]
    root: str = ""
    hostname: str = "localhost"
    _loaded: dict[str, Service] = field(default_factory=dict)

    def load(self, name: str, *, cached: bool = False) -> Service:
        """The service called `name`; as read before with `cached` (until `reload`).

        Raises NoUnit, Masked, and UnitError in systemd's words.
        """
        if cached and name in self._loaded:
            return self._loaded[name]
        path = self.path(name)
        if os.path.realpath(path) == os.path.realpath(self.root + "/dev/null"):
            raise Masked(name)
        loaded = service(
            name, self._text(name, path), path=path.removeprefix(self.root), hostname=self.hostname
        )
        for warning in loaded.warnings:
            self.say(name, f"{loaded.path}: {warning}")
        self._loaded[name] = loaded
        return loaded

    def reload(self) -> None:
        """Forget what was read (systemctl daemon-reload)."""
        self._loaded.clear()

    def changed(self, name: str) -> bool:
        """Whether the file says something else than what was loaded from it."""
        before = self._loaded.get(name)
        if before is None:
            return False
        try:
            path = self.path(name)
            return service(name, self._text(name, path), path=before.path, hostname=self.hostname) != before
        except (NoUnit, UnitError, OSError):
            return True

    def path(self, name: str) -> str:
        """The file that defines `name`: its own, or its template's. Raises NoUnit."""
        stem, _, suffix = name.rpartition(".")
        prefix, at, _ = stem.partition("@")
        for candidate in (name, f"{prefix}@.{suffix}" if at else name):
            for folder in FOLDERS:
                path = f"{self.root}{folder}/{candidate}"
                if os.path.lexists(path):
                    return path
        raise NoUnit(name)

    def text(self, name: str) -> str:
        """The file as `systemctl cat` shows it."""
        path = self.path(name)
        return f"# {path.removeprefix(self.root)}\n{self._text(name, path)}"

    def _text(self, name: str, path: str) -> str:
        """The file and its drop-ins (NAME.d/*.conf), one after the other."""
        parts = [_read(path)]
        for folder in FOLDERS:
            directory = f"{self.root}{folder}/{name}.d"
            if os.path.isdir(directory):
                names = sorted(n for n in os.listdir(directory) if n.endswith(".conf"))
                parts += [_read(f"{directory}/{n}") for n in names]
        return "\n".join(parts)

    # -- enabling -------------------------------------------------------------------------------------

    def enable(self, name: str) -> str:
        """Link `name` where its [Install] section says; returns what systemctl prints.

        Raises NoUnit and Masked.
        """
        path = self.path(name)
        if os.path.realpath(path) == os.path.realpath(self.root + "/dev/null"):
            raise Masked(name)
        targets = self._wanted_by(path)
        lines = [self._link(f"{ETC}/{target}.wants/{name}", path) for target in targets]
        return "".join(lines) if targets else NO_INSTALL

    def link(self, path: str) -> str:
        """Make the unit file at an absolute path known by its name; returns what systemctl prints. Raises NoUnit."""
        if not path.startswith("/") or not os.path.isfile(self.root + path):
            raise NoUnit(path)
        name = os.path.basename(path)
        if os.path.dirname(path) in FOLDERS:
            return ""
        return self._link(f"{ETC}/{name}", self.root + path)

    def disable(self, name: str) -> str:
        """Remove every link that enables `name`; returns what systemctl prints. Raises NoUnit."""
        self.path(name)
        said = []
        for link in self._links(name):
            os.unlink(link)
            said.append(f'Removed "{link.removeprefix(self.root)}".\n')
        return "".join(said)

    def mask(self, name: str) -> str:
        """Make `name` impossible to start."""
        own = f"{self.root}{ETC}/{name}"
        if os.path.exists(own) and not os.path.islink(own):
            return f"Failed to mask unit: File {ETC}/{name} already exists.\n"
        return self._link(f"{ETC}/{name}", self.root + "/dev/null")

    def unmask(self, name: str) -> str:
        """Undo `mask`."""
        own = f"{self.root}{ETC}/{name}"
        if os.path.islink(own) and os.readlink(own).endswith("/dev/null"):
            os.unlink(own)
            return f'Removed "{ETC}/{name}".\n'
        return ""

    def state(self, name: str) -> str:
        """What `systemctl is-enabled` prints. Raises NoUnit."""
        path = self.path(name)
        if os.path.realpath(path) == os.path.realpath(self.root + "/dev/null"):
            return "masked"
        if self._links(name):
            return "enabled"
        return "disabled" if self._wanted_by(path) else "static"

    def at_boot(self) -> list[str]:
        """The units to start at boot, in the order of their names."""
        found: set[str] = set()
        for target in BOOT_TARGETS:
            for kind in ("wants", "requires"):
                directory = f"{self.root}{ETC}/{target}.{kind}"
                if os.path.isdir(directory):
                    found.update(n for n in os.listdir(directory) if n.endswith(".service"))
        return sorted(found)

    def names(self) -> list[str]:
        """Every service file that is there."""
        found: set[str] = set()
        for folder in FOLDERS:
            if os.path.isdir(self.root + folder):
                found.update(n for n in os.listdir(self.root + folder) if n.endswith(".service"))
        return sorted(found)

    def _wanted_by(self, path: str) -> tuple[str, ...]:
        install = parse(_read(path)).get("Install", {})
        values = install.get("WantedBy", []) + install.get("RequiredBy", [])
        return tuple(word for value in values for word in value.split())

    def _links(self, name: str) -> list[str]:
        base = self.root + ETC
        wants = sorted(d for d in os.listdir(base) if d.endswith((".wants", ".requires")))
        paths = [f"{base}/{d}/{name}" for d in wants]
        return [path for path in paths if os.path.lexists(path)]

    def _link(self, link: str, target: str) -> str:
        place = self.root + link
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.islink(place):
            return ""
        os.symlink(target.removeprefix(self.root), place)
        return f"Created symlink {link} → {target.removeprefix(self.root)}.\n"


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
