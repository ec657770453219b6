"""How instances and functions reach AWS's API: the two ways, behind one interface (ports.AwsAccess).

What belongs here: sockets, files and callers of each way. What does not: names, DNS and certificates.

The public way is AWS's own: names from the VPC's resolver, TLS on port 443, packets that need a route. The
loopback way is for tiers without namespaces: plain HTTP on an address of the loopback device, which the
shared AWS configuration names.
"""

import contextlib
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labkit.cloud import addresses
from labkit.cloud.endpoints import names
from labkit.cloud.endpoints.dns import Resolver
from labkit.cloud.network.fabric import Fabric
from labkit.cloud.ports import Serving
from labkit.cloud.records import Caller, InterfaceRecord
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


class LoopbackAccess:
    """AWS's API on a loopback address of each sandbox; no name, no TLS, no route."""

    loopback: tuple[str, ...] = (addresses.ENDPOINT_ADDRESS,)
    listen: tuple[tuple[str, int], ...] = ((addresses.ENDPOINT_ADDRESS, addresses.ENDPOINT_PORT),)
    datagrams: tuple[tuple[str, int], ...] = ()
    hosts = f"{addresses.IMAGE_HOST_ADDRESS} {addresses.IMAGE_HOST_NAME}\n"

    def __init__(self, door: Door, serving: Serving) -> None:
        self._door, self._serving = door, serving

    def shut(self) -> None:
        """Nothing is begun here but what `close` ends."""

    def open(self, name: str, caller: Caller, sockets: Sequence[socket.socket]) -> None:
        """Serve the interface `name`, whose sockets are those of `listen` and `datagrams`."""
        (listener,) = sockets
        self._serving.serve(listener, self._door(caller), name=f"{name}/endpoint")

    def close(self, name: str) -> None:
        """Serve it no more."""
        self._serving.stop(f"{name}/endpoint")

    def binds(self) -> tuple[Bind, ...]:
        """Nothing to trust."""
        return ()

    def files(self, homes: Iterable[str]) -> Mapping[str, str]:
        """What tells boto3 and the AWS CLI where the cloud is, without a variable."""
        text = f"[default]\nendpoint_url = {addresses.ENDPOINT_URL}\n"
        return {f"{home}/.aws/config": text for home in homes}


class PublicAccess:
    """AWS's API at its own names and addresses, on the internet's side of every VPC."""

    loopback: tuple[str, ...] = (addresses.RESOLVER_ADDRESS,)
    listen: tuple[tuple[str, int], ...] = ()
    datagrams: tuple[tuple[str, int], ...] = ((addresses.RESOLVER_ADDRESS, addresses.RESOLVER_PORT),)
    hosts = ""

    def __init__(self, door: Door, serving: Serving, fabric: Fabric, folder: Path) -> None:
        """`folder`, not yet there, gets what programs inside trust. `shut` ends what is begun here."""
        from labkit.cloud.endpoints.authority import Authority

        self._door, self._fabric, self._serving = door, fabric, serving
        self._callers: dict[str, Caller] = {}
        self._authority = Authority(folder)
        self._resolver = Resolver(self._look_up)
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
        (resolver,) = sockets
        self._callers[name] = caller
        self._resolver.add(name, resolver)

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
        seen = self._fabric.caller_at(environ["REMOTE_ADDR"], environ["SERVER_NAME"])
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
        if name == addresses.IMAGE_HOST_NAME:
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


def access_for(door: Door, serving: Serving, fabric: Fabric, folder: Path) -> PublicAccess | LoopbackAccess:
    """AWS's own way where packets are real, else the loopback way. `folder` is for what is trusted inside."""
    if type(fabric) is Fabric:
        return PublicAccess(door, serving, fabric, folder)
    return LoopbackAccess(door, serving)
