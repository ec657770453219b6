"""What cfn-init does with AWS::CloudFormation::Init: packages, groups, users, sources, files, commands, services, in this order.

AWS: CloudFormation template reference, "AWS::CloudFormation::Init".
"""
# ruff: noqa: T201

import base64
import grp
import io
import os
import pwd
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOG = "/var/log/cfn-init.log"


class Failed(Exception):
    """What went wrong; the build ends with it."""


def build(settings: Mapping[str, Any], names: Sequence[str], *, verbose: bool) -> int:
    """Carry out config sets; returns cfn-init's exit status."""
    try:
        for config in _configs(settings, names):
            _say(f"Running config {config}", verbose=verbose)
            _Build(settings[config], verbose=verbose).run()
    except Failed as failed:
        _say(f"Error occurred during build: {failed}", verbose=True)
        return 1
    return 0


def _configs(settings: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """The configs of config sets in order; a set may name other sets. Without sets there is one config."""
    sets = settings.get("configSets")
    if sets is None:
        yield from ("config",) if "config" in settings else ()
        return
    for name in names:
        if name not in sets:
            raise Failed(f"No ConfigSet named {name} exists")
        for item in sets[name] if isinstance(sets[name], list) else [sets[name]]:
            if isinstance(item, dict):
                yield from _configs(settings, [item["ConfigSet"]])
            elif item not in settings:
                raise Failed(f"No Config named {item} exists")
            else:
                yield item


def _say(text: str, *, verbose: bool) -> None:
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')},000 [INFO] {text}\n")
    if verbose:
        print(text, file=sys.stderr)


class _Build:
    """One config."""

    def __init__(self, config: Mapping[str, Any], *, verbose: bool) -> None:
        self._config, self._verbose = config, verbose
        self._changed: dict[str, set[str]] = {
            "packages": set(),
            "files": set(),
            "commands": set(),
            "sources": set(),
        }

    def run(self) -> None:
        """Each part in AWS's order."""
        known = {
            "packages": self._packages,
            "groups": self._groups,
            "users": self._users,
            "sources": self._sources,
            "files": self._files,
            "commands": self._commands,
            "services": self._services,
        }
        for name in self._config:
            if name not in known:
                raise Failed(f"Unsupported key in config: {name}")
        for name, part in known.items():
            part(self._config.get(name) or {})

    def _call(self, words: Sequence[str], what: str) -> None:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        _say(f"{what}\n{done.stdout}".rstrip(), verbose=self._verbose)
        if done.returncode:
            raise Failed(f"{what} failed with exit status {done.returncode}: {done.stdout.strip()[-500:]}")

    def _packages(self, wanted: Mapping[str, Any]) -> None:
        for manager, packages in wanted.items():
            if manager not in ("yum", "dnf", "python"):
                raise Failed(f"Local cloud: cfn-init installs by yum, dnf and python here, not by {manager}")
            names = [
                f"{n}=={v[0]}" if v and manager == "python" else n
                for n, v in ((n, _listed(v)) for n, v in packages.items())
            ]
            command = ["pip3", "install"] if manager == "python" else ["/usr/bin/dnf", "-y", "install"]
            self._call([*command, *names], f"Installing {' '.join(names)}")
            self._changed["packages"].update(packages)

    def _groups(self, wanted: Mapping[str, Any]) -> None:
        for name, options in wanted.items():
            if name not in {each.gr_name for each in grp.getgrall()}:
                number = ["-g", str(options["gid"])] if (options or {}).get("gid") else []
                self._call(["groupadd", *number, name], f"Creating group {name}")

    def _users(self, wanted: Mapping[str, Any]) -> None:
        for name, options in wanted.items():
            if name in {each.pw_name for each in pwd.getpwall()}:
                continue
            options = options or {}
            words = ["-M", "-r", "--shell", "/sbin/nologin"]
            words += ["-u", str(options["uid"])] if options.get("uid") else []
            words += ["-d", options["homeDir"]] if options.get("homeDir") else []
            words += ["-G", ",".join(options["groups"])] if options.get("groups") else []
            self._call(["useradd", *words, name], f"Creating user {name}")

    def _sources(self, wanted: Mapping[str, Any]) -> None:
        for folder, url in wanted.items():
            data = _fetched(url)
            os.makedirs(folder, exist_ok=True)
            if zipfile.is_zipfile(io.BytesIO(data)):
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    archive.extractall(folder)
            else:
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    archive.extractall(folder, filter="data")
            self._changed["sources"].add(folder)

    def _files(self, wanted: Mapping[str, Any]) -> None:
        for path, options in wanted.items():
            data = _content(options)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if not os.path.exists(path) or _read(path) != data:
                self._changed["files"].add(path)
            mode = str(options.get("mode", ""))
            if mode.startswith("120"):
                os.symlink(data.decode().strip(), path)
                continue
            with open(path, "wb") as file:
                file.write(data)
            if mode:
                os.chmod(path, int(mode, 8) & 0o7777)
            if "owner" in options or "group" in options:
                shutil.chown(path, options.get("owner", "root"), options.get("group", "root"))

    def _commands(self, wanted: Mapping[str, Any]) -> None:
        for name in sorted(wanted):
            options = wanted[name]
            environment = {
                **os.environ,
                **{key: str(value) for key, value in (options.get("env") or {}).items()},
            }
            around = {"cwd": options.get("cwd"), "env": environment}
            if options.get("test") and _ran(options["test"], around).returncode:
                _say(f"Command {name}: its test failed, it is not run", verbose=self._verbose)
                continue
            done = _ran(options["command"], around)
            _say(f"Command {name}: {done.stdout}".rstrip(), verbose=self._verbose)
            if done.returncode and str(options.get("ignoreErrors", "false")).lower() != "true":
                raise Failed(
                    f"Command {name} failed with exit status {done.returncode}: {done.stdout.strip()[-500:]}"
                )
            self._changed["commands"].add(name)

    def _services(self, wanted: Mapping[str, Any]) -> None:
        for manager, services in wanted.items():
            if manager not in ("sysvinit", "systemd"):
                raise Failed(
                    f"Local cloud: cfn-init starts services by systemd and sysvinit here, not by {manager}"
                )
            for name, options in services.items():
                self._service(name, options or {})

    def _service(self, name: str, options: Mapping[str, Any]) -> None:
        if "enabled" in options:
            self._call(
                ["systemctl", "enable" if _true(options["enabled"]) else "disable", name], f"Enabling {name}"
            )
        if "ensureRunning" not in options:
            return
        wants = _true(options["ensureRunning"])
        changed = any(
            set(_listed(options.get(kind)) if kind != "packages" else _all(options.get(kind)))
            & self._changed[kind]
            for kind in self._changed
        )
        if not wants:
            self._call(["systemctl", "stop", name], f"Stopping {name}")
        else:
            self._call(["systemctl", "restart" if changed else "start", name], f"Starting {name}")


def _ran(command: Any, around: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    shell = isinstance(command, str)
    return subprocess.run(
        command, shell=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **around
    )


def _content(options: Mapping[str, Any]) -> bytes:
    """A file's bytes: from the template, or from a source; with what the context gives put in."""
    if "source" in options:
        data = _fetched(options["source"])
    else:
        content = options.get("content", "")
        if isinstance(content, dict | list):
            import json

            content = json.dumps(content)
        data = base64.b64decode(content) if options.get("encoding") == "base64" else str(content).encode()
    context = options.get("context") or {}
    for name, value in context.items():
        data = re.sub(
            rb"\{\{\{?\s*" + re.escape(name).encode() + rb"\s*\}?\}\}",
            str(value).encode().replace(b"\\", rb"\\"),
            data,
        )
    return data


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bytes(answer.read())
    except (OSError, ValueError) as error:
        raise Failed(f"Failed to retrieve {url}: {error}") from error


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _listed(value: Any) -> list[str]:
    return [] if value is None else [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _all(packages: Any) -> list[str]:
    return [name for names in (packages or {}).values() for name in names]


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
