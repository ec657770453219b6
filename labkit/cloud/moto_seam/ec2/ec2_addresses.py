"""Addresses of network interfaces: private ones from the subnet, public ones that come and go as on AWS.

What belongs here: choosing, keeping and freeing addresses. What does not: other parts of an instance's life.

AWS: Amazon VPC user guide, "Subnet CIDR blocks" (five reserved addresses); EC2 user guide, "Amazon EC2
instance IP addressing".
"""

import ipaddress
import itertools
from typing import Any

from labkit.aws.addresses import PUBLIC_BEGIN, PUBLIC_CIDRS
from labkit.cloud.moto_seam.backends import in_use
from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

RESERVED_AT_START = 4  # network, router, DNS, future use; the fifth is the broadcast address


def correct_addresses(replacements: Replacements) -> None:
    """Give every interface an address of its subnet that nobody has, and Elastic IPs that stay."""
    import moto.ec2.models.elastic_ip_addresses as elastic_ips
    import moto.ec2.models.elastic_network_interfaces as interfaces
    import moto.ec2.models.nat_gateways as nat_gateways
    import moto.ec2.models.subnets as subnets
    import moto.ec2.models.vpcs as vpcs

    choose = _Public().choose
    replacements.put(subnets.Subnet, "get_available_subnet_ip", _next_address)
    replacements.put(subnets.Subnet, "request_ip", _request_address)
    replacements.around(interfaces.NetworkInterfaceBackend, "create_network_interface")(_create_interface)
    replacements.around(interfaces.NetworkInterfaceBackend, "delete_network_interface")(_delete_interface)
    for module in (vpcs, nat_gateways):
        # moto's address for an endpoint or NAT gateway is from anywhere; none makes _create_interface choose
        replacements.put(module, "random_private_ip", lambda: None)
    # moto's Elastic IPs are 127.…, this machine itself, and its other public addresses are a stranger's
    replacements.put(elastic_ips, "random_ip", choose)
    replacements.put(interfaces, "random_public_ip", choose)
    replacements.around(interfaces.NetworkInterface, "stop")(_unless_elastic)
    replacements.around(interfaces.NetworkInterface, "start")(_unless_elastic)


class _Public:
    """Gives public addresses in turn, so that one that was freed is not the next one's at once; skips those in use."""

    def __init__(self) -> None:
        networks = [ipaddress.IPv4Network(cidr) for cidr in PUBLIC_CIDRS]
        first = [str(networks[0][n]) for n in range(PUBLIC_BEGIN, networks[0].num_addresses - 1)]
        self._ranges = [
            itertools.cycle(first),
            *(itertools.cycle(map(str, each.hosts())) for each in networks[1:]),
        ]
        self._sizes = [len(first), *(each.num_addresses - 2 for each in networks[1:])]

    def choose(self) -> str:
        """An address that nobody has. Raises EC2's error where all are in use."""
        taken = _public_in_use()
        for addresses, size in zip(self._ranges, self._sizes, strict=True):
            for address in itertools.islice(addresses, size):
                if address not in taken:
                    return address
        raise ec2_error("InsufficientAddressCapacity", "There are not enough addresses in the pool.")


def _public_in_use() -> set[str]:
    """Elastic IPs and the addresses of interfaces, of all regions."""
    found: set[str] = set()
    for _, ec2 in in_use("ec2"):
        found |= {str(each.public_ip) for each in list(ec2.addresses)}
        found |= {str(each.public_ip) for each in list(ec2.enis.values()) if each.public_ip}
    return found


def _next_address(self: Any, instance: Any) -> str:
    """The lowest free address of the subnet."""
    taken = _taken(self)
    for number in range(RESERVED_AT_START, self.cidr.num_addresses - 1):
        address = str(self.cidr[number])
        if address not in taken:
            self._subnet_ips[address] = instance
            return address
    raise ec2_error(
        "InsufficientFreeAddressesInSubnet",
        f"The specified subnet does not have enough free addresses to satisfy the request: {self.id}",
    )


def _request_address(self: Any, ip: str, instance: Any) -> None:
    """Take the address that the caller named."""
    try:
        position = int(ipaddress.IPv4Address(ip)) - int(self.cidr.network_address)
    except ValueError:
        raise ec2_error("InvalidParameterValue", f"Invalid IPv4 address: {ip}") from None
    if not 0 <= position < self.cidr.num_addresses:
        raise ec2_error("InvalidParameterValue", "Address does not fall within the subnet's address range")
    if not RESERVED_AT_START <= position < self.cidr.num_addresses - 1:
        raise ec2_error("InvalidParameterValue", "Address is in subnet's reserved address range")
    if ip in _taken(self):
        raise ec2_error("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    self._subnet_ips[ip] = instance


def _taken(subnet: Any) -> set[str]:
    in_interfaces = {
        address["PrivateIpAddress"]
        for interface in list(subnet.ec2_backend.enis.values())
        if interface.subnet.id == subnet.id
        for address in interface.private_ip_addresses
    }
    # owners without an interface: an instance on its way, or another service's mount target
    return in_interfaces | {address for address, owner in subnet._subnet_ips.items() if owner is not None}


def _create_interface(
    original: Any, self: Any, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any
) -> Any:
    subnet = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
    wanted = private_ip_address[0] if isinstance(private_ip_address, list) else private_ip_address
    if not wanted and not (args or kwargs.get("private_ip_addresses")):
        wanted = subnet.get_available_subnet_ip(None)
    elif wanted and wanted not in subnet._subnet_ips:  # RunInstances has asked for it already
        subnet.request_ip(wanted, None)
    return original(self, subnet, wanted, *args, **kwargs)


def _delete_interface(original: Any, self: Any, eni_id: str) -> None:
    interface = self.enis.get(eni_id)
    original(self, eni_id)
    for address in interface.private_ip_addresses if interface else ():
        interface.subnet.del_subnet_ip(address["PrivateIpAddress"])


def _unless_elastic(original: Any, self: Any) -> None:
    """Stopping takes and starting gives an automatic public address; an Elastic IP stays."""
    addresses = getattr(self.ec2_backend, "addresses", [])
    if not any(elastic.eni is self for elastic in addresses):
        original(self)
