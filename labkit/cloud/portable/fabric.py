"""The portable tiers' network: the same books and the same decision as the namespaces tier's fabric.

What belongs here: the difference, which is that nothing is compiled and connections are asked about. What
does not: deciding (labkit.aws.network.decision), and who listens where (switchboard.py).
"""

import socket
from collections.abc import Callable, Sequence

from labkit.aws import addresses
from labkit.aws.network.decision import decide
from labkit.aws.network.model import Flow, Topology
from labkit.cloud.network import fabric
from labkit.cloud.portable.switchboard import Lookup, Switchboard, no_names
from labkit.sandbox.portable.inside.world import Network


class PortableFabric(fabric.Fabric):
    """Implements labkit.cloud.ports.Fabric. `place`: PortableHost.place."""

    def __init__(self, place: Callable[[str, Network | None], None]) -> None:
        self._switchboard = Switchboard(place, self._decided)
        super().__init__(self._switchboard)

    def names(self, lookup: Lookup) -> "GateNames":
        """Let the gates answer names by `lookup`."""
        self._switchboard.lookup = lookup
        return GateNames(self._switchboard)

    def listening(self, name: str, ports: Sequence[int]) -> tuple[int, ...]:
        """As Fabric.listening: other ports than the program asked for stand for those."""
        asked = self._switchboard.listening(name)
        return tuple(asked[port] for port in ports if port in asked)

    def caller_at(self, address: str, port: int, called: str) -> fabric.Seen | None:
        """As Fabric.caller_at: all come from the loopback device, so the port tells who it is."""
        name, real = self._switchboard.called_from(port)
        with self._lock:
            record = self._interfaces.get(name)
            return self._seen(record, real) if record else None

    def close(self) -> None:
        """End every connection and the thread that carries them."""
        self._switchboard.close()

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        """As Fabric.connect."""
        self.address_of(name)  # raises CloudError
        return self._switchboard.connect(name, address, port, timeout=timeout)

    def _decided(self, name: str, address: str, port: int) -> tuple[bool, str]:
        """Whether a connection arrives, and the name of the interface that has the address."""
        with self._lock:
            topology = self._topology()
        flow = Flow(name, address, port)
        if not decide(topology, flow).arrives:
            return False, ""
        return True, _receiver(topology, name, address)


class GateNames:
    """Names by the gates: nothing on an interface is needed for it (labkit.cloud.endpoints.access.Names)."""

    loopback: tuple[str, ...] = ()
    datagrams: tuple[tuple[str, int], ...] = ()

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    def add(self, name: str, sockets: Sequence[socket.socket]) -> None:
        """Every interface has a gate."""

    def remove(self, name: str) -> None:
        """Its gate goes with it."""

    def close(self) -> None:
        """Know no name any more."""
        self._switchboard.lookup = no_names


def _receiver(topology: Topology, name: str, address: str) -> str:
    """Who has `address`, as seen from `name`; "" when that is nobody of ours."""
    if topology.is_aws(address):
        return addresses.AWS
    sender = topology.by_name[name]
    private = topology.at_private(sender.vpc_id, address) if sender.vpc_id else None
    found = private or topology.at_public(address) or topology.at_private("", address)
    return found.name if found else ""
