"""What a unit's process is given: its environment and its argument list, as pure functions.

What belongs here: the rules of systemd.exec(5), "Environment Variables in Spawned Processes", and of
systemd.service(5), "Command Lines". What does not: starting the process. Runs inside the instance:
standard library only.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from labkit.cloud.instances.system.units import Command, Service

#: systemd's own on Amazon Linux 2023, for units and for cloud-init alike
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
#: where a unit's process says that it is ready (sd_notify(3))
NOTIFY_SOCKET = "/run/systemd/notify"
BASE = {"PATH": PATH, "LANG": "C.UTF-8"}


class MissingFile(Exception):
    """An EnvironmentFile that must exist does not; the text is its path."""


class UnknownUser(Exception):
    """A User= that /etc/passwd does not list; the text is its name."""


class UnknownGroup(Exception):
    """A Group= that /etc/group does not list; the text is its name."""


def check_group(name: str, groups: str) -> None:
    """Raises UnknownGroup when the text of /etc/group lists no group of this name or number ("": none is asked for)."""
    rows = (line.split(":") for line in groups.splitlines())
    if name and not any(name in (row[0], row[2]) for row in rows if len(row) >= 3):
        raise UnknownGroup(name)


@dataclass(frozen=True)
class Account:
    """One line of /etc/passwd, as far as a process needs it."""

    name: str
    home: str
    shell: str


def accounts(passwd: str) -> Mapping[str, Account]:
    """The accounts in the text of /etc/passwd, by name and by number."""
    found: dict[str, Account] = {}
    for line in passwd.splitlines():
        parts = line.split(":")
        if len(parts) >= 7:
            found[parts[0]] = found[parts[2]] = Account(parts[0], parts[5], parts[6])
    return found


def environment_file(text: str) -> dict[str, str]:
    """The assignments in an EnvironmentFile: quotes go, comments go, nothing is expanded.

    "export X=1" is no assignment to systemd, which drops the line, and so do we.
    """
    values = {}
    for raw in text.replace("\\\n", "").splitlines():
        line = raw.strip()
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"(['\"])(.*)\1", value)
    return quoted[2] if quoted else value


def unit_environment(
    service: Service,
    invocation: str,
    *,
    read: Callable[[str], str],
    passwd: Mapping[str, Account],
    manager: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The whole environment of a unit's process; nothing else reaches it.

    `manager` is systemd's own (systemctl set-environment). HOME, USER, LOGNAME and SHELL are set only with User=. Raises MissingFile and UnknownUser.
    """
    values = {**BASE, **manager, "INVOCATION_ID": invocation}
    if service.notify_access != "none":
        values["NOTIFY_SOCKET"] = NOTIFY_SOCKET
    if service.user:
        values.update(_login(service.user, passwd))
    values.update(service.environment)
    for path, optional in service.environment_files:
        try:
            values.update(environment_file(read(path)))
        except OSError as error:
            if not optional:
                raise MissingFile(path) from error
    return values


def _login(user: str, passwd: Mapping[str, Account]) -> dict[str, str]:
    account = passwd.get(user)
    if account is None:
        raise UnknownUser(user)
    return {"HOME": account.home, "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell}


def arguments(command: Command, values: Mapping[str, str]) -> list[str]:
    """The words of `command` with ${X} put in and a lone $X split at blanks; $$ is a dollar sign."""
    words: Sequence[str] = command.words
    result = [words[0]]
    for word in words[1:]:
        alone = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
        if alone:
            result.extend(values.get(alone[1], "").split())
        else:
            result.append(_braced(word, values))
    return result


def _braced(word: str, values: Mapping[str, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else values.get(match[1], "")

    return re.sub(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}", replaced, word)
