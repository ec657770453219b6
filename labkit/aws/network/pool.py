"""Free addresses: which one a new interface gets.

What belongs here: pure arithmetic on address ranges. What does not: who holds which address.
"""

import ipaddress
from collections.abc import Container

_RESERVED_AT_START, _RESERVED_AT_END = 4, 1


def free_address(cidr: str, taken: Container[str]) -> str | None:
    """An address of `cidr` that nobody holds, or None when there is none left.

    VPC user guide, "Subnet CIDR blocks": the first four addresses and the last are AWS's own. Counted
    from the top, because EC2's API gives addresses to instances from the bottom.
    """
    network = ipaddress.IPv4Network(cidr)
    for offset in range(network.num_addresses - 1 - _RESERVED_AT_END, _RESERVED_AT_START - 1, -1):
        address = str(network[offset])
        if address not in taken:
            return address
    return None


def gateway_of(cidr: str) -> str:
    """The address of the router in `cidr`: the second of the range, as on AWS."""
    return str(ipaddress.IPv4Network(cidr)[1])


def prefix_length_of(cidr: str) -> int:
    """The number after the slash of a CIDR block."""
    return ipaddress.IPv4Network(cidr).prefixlen
