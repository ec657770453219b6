"""The host names of AWS's endpoints, and the addresses that they have in the local cloud.

What belongs here: pure functions from a name to what it means. What does not: DNS's messages (dns.py),
certificates (authority.py).

AWS: General Reference, "AWS service endpoints"
(https://docs.aws.amazon.com/general/latest/gr/rande.html); S3 user guide, "Virtual hosting of buckets"
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from labkit.aws.addresses import AWS_CIDR
from labkit.aws.services import descriptions

DOMAIN = ".amazonaws.com"
GLOBAL_REGION = "us-east-1"
#: a quarter of the range for each: 62 regions are more than AWS has
_BLOCKS = {"s3": 0, "dynamodb": 1}
_OTHERS = 2
_BLOCK = 64
#: services whose endpoint names no region
_GLOBAL = ("iam", "sts", "s3", "ec2", "cloudfront", "route53", "organizations")


@dataclass(frozen=True)
class Endpoint:
    """What a host name of AWS stands for. `names` are those that its certificate is good for."""

    service: str
    region: str
    names: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse(host: str) -> Endpoint | None:
    """The endpoint that a host name names; None for a name that AWS does not have."""
    host = host.lower().rstrip(".")
    if host.endswith(".api.aws"):
        return _parsed(host, host.removesuffix(".api.aws"), dual=True)
    if not host.endswith(DOMAIN):
        return None
    return _parsed(host, host.removesuffix(DOMAIN), dual=False)


def address_of(endpoint: Endpoint) -> str:
    """The address of a service in a region; S3 and DynamoDB have their own, which prefix lists name."""
    block = _BLOCKS.get(endpoint.service, _OTHERS)
    network = ipaddress.IPv4Network(AWS_CIDR)
    return str(network[block * _BLOCK + 1 + regions().index(endpoint.region)])


def prefix_list(name: str) -> str | None:
    """The CIDR block in AWS's own prefix list `name` ("com.amazonaws.<region>.s3"); None for others."""
    parts = name.split(".")
    if len(parts) != 4 or parts[:2] != ["com", "amazonaws"] or parts[2] not in regions():
        return None
    if parts[3] not in _BLOCKS:
        return None
    return address_of(Endpoint(parts[3], parts[2], ())) + "/32"


@lru_cache(maxsize=1)
def regions() -> Sequence[str]:
    """AWS's commercial regions."""
    return tuple(sorted(_partition()["regions"]))


@lru_cache(maxsize=1)
def _services() -> frozenset[str]:
    """The first labels of AWS's endpoints ("s3", "logs", …)."""
    return frozenset(_partition()["services"])


def _partition() -> dict[str, dict[str, object]]:
    data = descriptions().load_data("endpoints")
    found: dict[str, dict[str, object]] = next(p for p in data["partitions"] if p["partition"] == "aws")
    return found


def _parsed(host: str, rest: str, *, dual: bool) -> Endpoint | None:
    labels = rest.split(".")
    region = labels.pop() if labels[-1] in regions() else ""
    if labels[-1:] == ["dualstack"]:
        labels.pop()
    if not labels:
        return None
    last = labels[-1]
    if last.startswith("s3-") and not region and last[3:] in regions():  # the old form
        last, region = "s3", last[3:]
    if last == "s3":
        return _s3(host, len(labels) > 1, region)
    if last == "ddb" and region and len(labels) == 2 and labels[0].isdigit():
        return Endpoint("dynamodb", region, (f"*.{host.partition('.')[2]}",))
    if len(labels) != 1 or last not in _services() or not (region or (last in _GLOBAL and not dual)):
        return None
    return Endpoint(last, region or GLOBAL_REGION, (host,))


def _s3(host: str, has_bucket: bool, region: str) -> Endpoint:
    """A certificate's * stands for one label: bucket names with dots have no valid name, as on AWS."""
    base = host
    if has_bucket:
        marks = [host.find(f".{form}") for form in ("s3.", "s3-") if f".{form}" in host]
        base = host[max(marks) + 1 :]
    return Endpoint("s3", region or GLOBAL_REGION, (base, f"*.{base}"))
