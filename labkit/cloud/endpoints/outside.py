"""What host names mean to somebody on the internet, this machine's shell for example: addresses in the local cloud.

What belongs here: names and addresses as pure decisions. What does not: connections (labkit.cloud.web.proxy).
"""

import ipaddress
import re

from labkit.aws import addresses
from labkit.aws.network import names
from labkit.cloud.web.proxy import Nowhere

_PUBLIC_NAME = re.compile(r"ec2-(\d+)-(\d+)-(\d+)-(\d+)\.(?:compute-1|[a-z0-9-]+\.compute)\.amazonaws\.com")
_OWN = tuple(map(ipaddress.IPv4Network, addresses.PUBLIC_CIDRS))


def look_up(host: str) -> str:
    """The address of a host, whether or not somebody is there. Raises Nowhere for what the local cloud has not."""
    host = host.lower().rstrip(".")
    if found := _PUBLIC_NAME.fullmatch(host):
        host = ".".join(found.groups())
    if host == addresses.IMAGE_HOST_NAME:
        return addresses.IMAGE_HOST_ADDRESS
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise Nowhere(_words(host)) from None
    if address.is_private and not any(address in network for network in _OWN):
        raise Nowhere(
            f"{host} is a private address: nobody reaches it from outside its VPC. Use the public one."
        )
    if not any(address in network for network in _OWN):
        raise Nowhere(_words(host))
    return host


def _words(host: str) -> str:
    if names.parse(host) is not None or host.endswith((names.DOMAIN, ".api.aws", ".amazonaws.com.cn")):
        return f"in this shell AWS is the local cloud at $AWS_ENDPOINT_URL; {host} is not asked."
    return f"{host} is not in the local cloud, and nothing of this shell leaves the machine."
