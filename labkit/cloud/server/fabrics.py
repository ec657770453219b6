"""The network that belongs to a host of sandboxes: real packets where there are namespaces, else by proxy.

What belongs here: that choice. What does not: either of them.
"""

from typing import TYPE_CHECKING

from labkit.cloud.network.fabric import Fabric
from labkit.cloud.portable.fabric import PortableFabric
from labkit.sandbox.portable.host import PortableHost

if TYPE_CHECKING:
    from labkit.sandbox.tiers import AnyHost


def fabric_for(host: "AnyHost") -> Fabric:
    """The network in which `host`'s sandboxes stand. Close it before the host."""
    return PortableFabric(host.place) if isinstance(host, PortableHost) else Fabric(host.network)
