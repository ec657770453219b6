"""How instances and functions reach AWS's API: names from the VPC's resolver, TLS on port 443, a route.

What belongs here: sockets, files and callers. What does not: names, DNS and certificates, and how a packet
or, without namespaces, a proxied connection gets here.
"""

import contextlib
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labkit.aws import addresses
from labkit.aws.network import names
from labkit.aws.records import Caller, InterfaceRecord
from labkit.cloud.endpoints.dns import Lookup, Resolver
from labkit.cloud.network.fabric import Fabric
from labkit.cloud.portable.fabric import PortableFabric
from labkit.cloud.ports import Serving
from labkit.sandbox.spec import Bind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PRIVATE_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)\.(?:ec2|[a-z0-9-]+\.compute)\.internal")
_PUBLIC_NAME = re.compile(r"ec2-(\d+)-(\d+)-(\d+)-(\d+)\.(?:compute-1|[a-z0-9-]+\.compute)\.amazonaws\.com")
#: where the door finds how a request came to AWS
SOURCE_VPC, SOURCE_VPCE = "lab.source_vpc", "lab.source_vpce"


class Door(Protocol):
    """Gives AWS's API as a caller sees it (labkit.cloud.door.Door.for_caller)."""

    def __call__(self, caller: Caller, *, secure_transport: bool = True) -> "WSGIApplication":
        """The application for requests of `caller`, by TLS or not."""
        ...


class Names(Protocol):
    """Answers the names that sandboxes look up; `loopback` and `datagrams` are what an interface needs for it."""

    loopback: tuple[str, ...]
    datagrams: tuple[tuple[str, int], ...]

    def add(self, name: str, sockets: Sequence[socket.socket]) -> None:
        """Answer what the interface `name` asks; the sockets are those of `datagrams`."""
        ...

    def remove(self, name: str) -> None:
        """Answer it no more; unknown names are fine."""
        ...

    def close(self) -> None:
        """Answer nobody any more."""
        ...


class PublicAccess:
    """AWS's API at its own names and addresses, on the internet's side of every VPC."""

    listen: tuple[tuple[str, int], ...] = ()
    hosts = ""

    def __init__(
        self, door: Door, serving: Serving, fabric: Fabric, folder: Path, names: Callable[[Lookup], Names]
    ) -> None:
        """`folder`, not yet there, gets what programs inside trust; `names` makes what answers their names.

        `shut` ends what is begun here.
        """
        from labkit.cloud.endpoints.authority import Authority

        self._door, self._fabric, self._serving = door, fabric, serving
        self._callers: dict[str, Caller] = {}
        self._authority = Authority(folder)
        self._resolver = names(self._look_up)
        self.loopback, self.datagrams = self._resolver.loopback, self._resolver.datagrams
        host = InterfaceRecord(addresses.AWS, "", "", addresses.AWS_ADDRESS, "", ())
        places = [("0.0.0.0", 443), ("0.0.0.0", 80)]
        secure, plain = fabric.attach(host, listen=places, networks=[addresses.AWS_CIDR])
        serving.serve(
            secure, partial(self._answer, True), name="aws/https", tls=self._authority.server_context()
        )
        serving.serve(plain, partial(self._answer, False), name="aws/http")

    def shut(self) -> None:
        """End the endpoints and the resolver."""
        for name in ("aws/https", "aws/http"):
            self._serving.stop(name)
        self._fabric.detach(addresses.AWS)
        self._resolver.close()

    def open(self, name: str, caller: Caller, sockets: Sequence[socket.socket]) -> None:
        """Know the interface `name` as `caller`, and answer its DNS queries."""
        self._callers[name] = caller
        self._resolver.add(name, sockets)

    def close(self, name: str) -> None:
        """Know it no more."""
        self._callers.pop(name, None)
        self._resolver.remove(name)

    def binds(self) -> tuple[Bind, ...]:
        """What makes programs inside trust this cloud's certificates."""
        return self._authority.binds()

    def files(self, homes: Iterable[str]) -> Mapping[str, str]:
        """Where names are looked up."""
        return {
            "/etc/resolv.conf": f"nameserver {addresses.RESOLVER_ADDRESS}\noptions timeout:2 attempts:2\n"
        }

    def _answer(self, secure: bool, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """One request: who sent it follows from the address it came from, which can't be forged."""
        seen = self._fabric.caller_at(
            environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]), environ["SERVER_NAME"]
        )
        caller = self._callers.get(seen.interface) if seen else None
        if seen is None or caller is None:
            start("403 Forbidden", [("Content-Length", "0")])
            return []
        environ["REMOTE_ADDR"] = seen.source_ip
        if seen.endpoint_id:
            environ[SOURCE_VPC], environ[SOURCE_VPCE] = seen.vpc_id, seen.endpoint_id
        return self._door(caller, secure_transport=secure)(environ, start)

    def _look_up(self, asker: str, name: str) -> str | None:
        """An address for a name, as the resolver of the asker's VPC gives it."""
        if not self._fabric.dns_works(asker):
            raise LookupError(asker)
        endpoint = names.parse(name)
        if endpoint is not None:
            return names.address_of(endpoint)
        if name in (addresses.IMAGE_HOST_NAME, *addresses.PACKAGE_NAMES):
            return addresses.IMAGE_HOST_ADDRESS
        return self._instance(asker, name)

    def _instance(self, asker: str, name: str) -> str | None:
        """EC2's own names; inside the VPC a public name gives the private address."""
        private, public = _PRIVATE_NAME.fullmatch(name), _PUBLIC_NAME.fullmatch(name)
        found = private or public
        if not found:
            return None
        with contextlib.suppress(LookupError):
            return self._fabric.instance_address(asker, ".".join(found.groups()), public=bool(public))
        return None


def access_for(door: Door, serving: Serving, fabric: Fabric, folder: Path) -> PublicAccess:
    """AWS's own way: a resolver's sockets where packets are real, else the gates' answers.

    `folder` is for what is trusted inside.
    """
    names = fabric.names if isinstance(fabric, PortableFabric) else Resolver
    return PublicAccess(door, serving, fabric, folder, names)
