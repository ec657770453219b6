"""The portable tiers' network: the same books and the same decision as the namespaces tier's fabric.

What belongs here: the difference, which is that nothing is compiled and connections are asked about. What
does not: deciding (labkit.cloud.network.decision), and who listens where (switchboard.py).
"""

import socket
from collections.abc import Callable

from labkit.cloud import addresses
from labkit.cloud.network import fabric
from labkit.cloud.network.decision import decide
from labkit.cloud.network.model import Flow, Topology
from labkit.cloud.portable.switchboard import Switchboard
from labkit.sandbox.portable.inside.world import Network

_NAMES = {addresses.IMAGE_HOST_NAME: addresses.IMAGE_HOST_ADDRESS}


class PortableFabric(fabric.Fabric):
    """Implements labkit.cloud.ports.Fabric. `place`: PortableHost.place."""

    def __init__(self, place: Callable[[str, Network | None], None]) -> None:
        self._switchboard = Switchboard(place, self._decided, _NAMES)
        super().__init__(self._switchboard)

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


def _receiver(topology: Topology, name: str, address: str) -> str:
    """Who has `address`, as seen from `name`; "" when that is nobody of ours."""
    sender = topology.by_name[name]
    private = topology.at_private(sender.vpc_id, address) if sender.vpc_id else None
    found = private or topology.at_public(address) or topology.at_private("", address)
    return found.name if found else ""
