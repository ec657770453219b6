"""A stage for one command: a network of its own in which AWS's names lead, over TLS, to a local cloud.

    python -m labkit.cloud.rehearsal.stage FOLDER ACCOUNT WEATHER SESSION COMMAND…      (WEATHER: "fair", or SEED:FACTOR)

What belongs here: namespaces, the files that lie over this machine's, the made-up home, the order of it all. What does
not: the ends of the names (relay.py), who starts this (labkit.cloud.client.rehearsal). Linux only.

The command, and what it starts, sees no variable of AWS's: it finds credentials in ~/.aws, names by asking the resolver, and
trust where this machine keeps it, as it would on its way to AWS. There is no way out of this network.

A session's keys end after SESSION seconds, for an account whose holder works as a role. LAB_REHEARSAL is this process's number:
SIGUSR1 to it ends every connection, as a laptop's sleep does; SIGUSR2 begins another session, whose keys are then in the file.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from labkit.aws.accounts import by_name
from labkit.aws.network.names import GLOBAL_REGION
from labkit.base import state
from labkit.base.errors import LabError
from labkit.cloud.client.lifecycle import LocalCloud, leashed
from labkit.cloud.client.rehearsal import FAIR, NEEDED, REFUSED, WEATHER
from labkit.cloud.endpoints.authority import Authority
from labkit.cloud.endpoints.dns import Resolver
from labkit.cloud.rehearsal import relay
from labkit.cloud.rehearsal.weather import Weather
from labkit.deploy.targets import Keys
from labkit.sandbox.kernel import namespaces, syscalls

HOME = "home"
#: exit status when the stage could not be set up (sysexits' EX_UNAVAILABLE)
UNAVAILABLE = 69
_CONFIGURATION = {
    "resolv.conf": f"nameserver {relay.ADDRESS}\noptions timeout:2 attempts:2\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def main(folder: Path, account: str, forecast: str, session: int, words: Sequence[str]) -> int:
    """Set the stage, run the command on it, and take it down; returns the command's status."""
    try:
        _enter()
    except OSError as error:
        state.write_text(folder / REFUSED, f"the kernel refuses namespaces ({error.strerror})\n")
        return UNAVAILABLE
    namespaces.die_with_parent()
    pace = "" if forecast == FAIR else forecast
    with leashed(folder / "cloud", wanted=account, pace=pace) as cloud:
        cloud.ensure()
        trust = folder / f"trust-{os.getpid()}"
        authority = Authority(trust)
        resolver = Resolver(relay.look_up)
        resolver.add("command", namespaces.datagrams_here([(relay.ADDRESS, relay.NAMES_PORT)]))
        weather = _weather(forecast)
        ends = relay.Relay(authority, lambda: _port(cloud), weather)
        _cover(folder, authority)

        def begin_session(*_: object) -> None:
            write_keys(folder / HOME, _keys(cloud, account, session))

        begin_session()
        signal.signal(signal.SIGUSR1, lambda *_: ends.cut())
        signal.signal(signal.SIGUSR2, begin_session)
        try:
            return _run(words, environment(os.environ, folder / HOME))
        finally:
            _write_records(folder, cloud, weather)


def _write_records(folder: Path, cloud: LocalCloud, weather: Weather | None) -> None:
    """What befell the requests, and what they needed to be allowed."""
    if not cloud.running():
        return
    late = cloud.ask("GET", "status")["late"]
    state.write_json(folder / WEATHER, {**weather.counts, **late} if weather else {})
    state.write_json(folder / NEEDED, cloud.ask("GET", "needed"))


def _weather(forecast: str) -> Weather | None:
    if forecast == FAIR:
        return None
    seed, factor = forecast.split(":")
    return Weather(int(seed), float(factor))


def _enter() -> None:
    """Own network and mounts; as root here without a user namespace, else as the one user of a new one. Raises OSError."""
    own = syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS
    try:
        syscalls.unshare(own)
    except PermissionError:
        namespaces.own_user_namespace(os.getuid(), own)
    syscalls.mount(None, "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    namespaces.set_up_loopback()


def _port(cloud: LocalCloud) -> int:
    endpoint = cloud.running()
    if endpoint is None:
        raise ConnectionRefusedError("the cloud of the rehearsal has ended")
    return endpoint.port


def _cover(folder: Path, authority: Authority) -> None:
    """Lay the rehearsal's resolver and trust over this machine's, for this process and what it starts. Raises OSError."""
    for name, text in _CONFIGURATION.items():
        state.write_text(folder / "etc" / name, text)
        _bind(str(folder / "etc" / name), os.path.realpath(f"/etc/{name}"))
    for bind in authority.binds():
        if os.path.exists(bind.target):
            _bind(bind.source, os.path.realpath(bind.target))


def _bind(source: str, target: str) -> None:
    syscalls.mount(source, target, flags=syscalls.MS_BIND)


def _keys(cloud: LocalCloud, account: str, seconds: int) -> Keys:
    """What the account's holder would have in a file: long-term keys, or those of a session of the role that he works as."""
    holder = by_name(account).holder
    if not holder.role_arn:
        return cloud.ensure().target(GLOBAL_REGION).owner
    return cloud.session_of(holder.role_arn, holder.user_id.partition(":")[2], seconds)


def write_keys(home: Path, keys: Keys) -> None:
    """Into the credentials file of this home."""
    lines = {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
        "aws_session_token": keys.token,
    }
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
    state.write_text(home / ".aws" / "credentials", f"[default]\n{text}", mode=0o600)


def environment(given: Mapping[str, str], home: Path) -> dict[str, str]:
    """The command's variables: nothing of AWS's, no proxy, and a home of its own."""
    hidden = ("AWS_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")
    kept = {
        name: value
        for name, value in given.items()
        if not name.startswith(hidden) and not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(home), "LAB_REHEARSAL": str(os.getpid())}


def _run(words: Sequence[str], variables: Mapping[str, str]) -> int:
    process = subprocess.Popen(list(words), env=dict(variables))
    signal.signal(signal.SIGINT, lambda *_: None)  # the command has it too, and says what it left
    return process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
    except LabError as trouble:
        state.write_text(Path(sys.argv[1]) / REFUSED, f"{trouble.message}\n")
        sys.exit(UNAVAILABLE)
