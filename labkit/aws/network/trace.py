"""Why a connection passes or does not: the network decision in words, with what to do about it.

What belongs here: naming the ends, and a fix for each stage that can stop a packet. What does not: the
decision itself, and reading an account (labkit.aws.network.descriptions).
"""

import ipaddress
from dataclasses import dataclass

from labkit.aws.addresses import AWS, INTERNET
from labkit.aws.network import names
from labkit.aws.network.decision import decide
from labkit.aws.network.model import Flow, Hop, Topology, Verdict
from labkit.base.errors import UsageError

#: what to do where a stage stops a packet; {resource}, {port}, {protocol} and {address} are put in
_FIXES = {
    "route": "Give {resource} a route to {address}: to an internet gateway where the caller has a public address, "
    "else to a NAT gateway or, for S3 and DynamoDB, to a gateway endpoint.",
    "route back": "Give {resource} a route back: what comes from the internet needs one to the internet gateway.",
    "security group egress": "Let {protocol} {port} out: aws ec2 authorize-security-group-egress --group-id {resource} …",
    "security group ingress": "Let {protocol} {port} in from the caller's group: "
    "aws ec2 authorize-security-group-ingress --group-id {resource} --protocol {protocol} --port {port} --source-group …",
    "NAT gateway": "Put the NAT gateway into a public subnet, with an Elastic IP address.",
    "endpoint": "Send this address another way: a gateway endpoint carries its own service alone.",
    "internet gateway": "Give the caller a public address, or a NAT gateway; a function in a VPC can only have the latter. "
    "The VPC needs an internet gateway for either.",
    "destination": "Look at the address: nothing in the VPC has it now.",
    "internet": "Call the private address from inside the VPC: from outside it can't be reached.",
}
_ACL = "Network ACLs know no connections: allow {protocol} both ways, and the answer's ports 1024-65535 too. It is {resource}."


@dataclass(frozen=True)
class Trace:
    """A verdict on a named connection, and what to do where it does not arrive ("" where it does)."""

    source: str
    destination: str
    verdict: Verdict
    fix: str


def trace(topology: Topology, source: str, destination: str, port: int, protocol: str = "tcp") -> Trace:
    """Follow a connection. Ends: an instance's id, a function's name, an address, AWS's host names.

    Raises UsageError for an end that nothing is called by.
    """
    start = source if source in topology.by_name else _address(topology, source, source)
    address = _address(topology, destination, start)
    verdict = decide(topology, Flow(start, address, port, protocol))
    stop = next((hop for hop in verdict.hops if not hop.allowed), None)
    fix = _outside_fix(topology, start, stop, port) or _fix(stop, protocol, port, address) if stop else ""
    return Trace(source, address, verdict, fix)


def _outside_fix(topology: Topology, start: str, stop: Hop, port: int) -> str:
    """What to do where the caller stands in no VPC, which the usual words do not fit; "" elsewhere."""
    caller = topology.by_name.get(start)
    if caller is not None and caller.vpc_id:
        return ""
    if stop.stage == "security group ingress":
        return (
            f"Let it in from outside: aws ec2 authorize-security-group-ingress --group-id {stop.resource} "
            f"--protocol tcp --port {port} --cidr 0.0.0.0/0 (or your address alone)."
        )
    if stop.stage == "internet" and caller is not None and start not in (INTERNET, AWS):
        return (
            f"The function {start} is in no VPC: give it SubnetIds and SecurityGroupIds of the VPC "
            "(VpcConfig; vpc_config in Terraform), so that it calls from inside the VPC."
        )
    return ""


def _fix(hop: Hop, protocol: str, port: int, address: str) -> str:
    template = _ACL if hop.stage.startswith("network ACL") else _FIXES.get(hop.stage, "")
    return template.format(resource=hop.resource, protocol=protocol, port=port, address=address)


def _address(topology: Topology, name: str, source: str) -> str:
    """The address that `name` has for the caller `source`: private inside the same VPC, else public."""
    found = topology.by_name.get(name)
    if found:
        caller = topology.by_name.get(source)
        same = caller is not None and caller.vpc_id == found.vpc_id
        return found.address if same or not found.public_ip else found.public_ip
    endpoint = names.parse(name)
    if endpoint:
        return names.address_of(endpoint)
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        known = ", ".join(sorted(topology.by_name))
        raise UsageError(
            f"Nothing is called {name}.", hint=f"There are: {known}, addresses, AWS's host names."
        ) from None
