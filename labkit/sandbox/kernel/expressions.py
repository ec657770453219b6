"""What one packet rule says, as nf_tables' expressions: each is bytes, and a rule is their sum.

What belongs here: one expression for each thing that a rule can match or do. What does not: tables, chains and sets
(nftables.py), the kernel's numbers (nf_tables.py). Runs in the warm parent: the standard library alone.
"""

import ipaddress
import socket
import struct
from typing import Literal, TypedDict

from labkit.sandbox.kernel import nf_tables as n
from labkit.sandbox.kernel.netlink import NESTED, attribute, ipv4, number

#: a router's device towards the internet
UPLINK = "up"

Side = Literal["vpc", "internet"]


class Rule(TypedDict, total=False):
    """One rule: every key given must match. `source`/`destination`: "10.0.0.0/8" or "@name of a set"."""

    verdict: str  # "accept" or "drop"
    came_from: Side
    goes_to: Side
    established: bool
    direction: Literal["original", "answer"]  # of the connection that the packet belongs to
    source: str
    destination: str
    protocol: int
    ports: list[int]  # [lowest, highest] destination port of tcp or udp
    icmp_type: int
    why: str  # for people; the kernel does not see it


def say_rule(rule: Rule) -> bytes:
    """Everything that `rule` says, cheapest matches first."""
    said = b""
    if rule.get("established"):
        said += _established()
    if "direction" in rule:
        said += _load_connection(n.CT_DIRECTION) + _compare(bytes([rule["direction"] == "answer"]))
    if "came_from" in rule:
        said += match_device(n.META_IIFNAME, rule["came_from"])
    if "goes_to" in rule:
        said += match_device(n.META_OIFNAME, rule["goes_to"])
    for key, offset in (("source", n.SOURCE_OFFSET), ("destination", n.DESTINATION_OFFSET)):
        said += match_peer(offset, str(rule.get(key, "")))
    return said + match_service(rule) + give_verdict(rule["verdict"])


def match_service(rule: Rule) -> bytes:
    """The protocol, ports and type of ICMP that the rule names."""
    said = b""
    if "protocol" in rule:
        said += _load_meta(n.META_L4PROTO) + _compare(bytes([rule["protocol"]]))
    if "ports" in rule:
        lowest, highest = (struct.pack(">H", port) for port in rule["ports"])
        said += _payload(n.TRANSPORT_HEADER, n.PORT_OFFSET, 2)
        said += _compare(lowest, n.CMP_GTE) + _compare(highest, n.CMP_LTE)
    if "icmp_type" in rule:
        said += _payload(n.TRANSPORT_HEADER, 0, 1) + _compare(bytes([rule["icmp_type"]]))
    return said


def match_peer(offset: int, peer: str) -> bytes:
    """That the address at this offset is in `peer`: "" for any, a network, or "@name of a set"."""
    if not peer:
        return b""
    if peer.startswith("@"):
        return load_address(offset) + _lookup(peer[1:])
    network = ipaddress.IPv4Network(peer, strict=False)
    if not network.prefixlen:
        return b""
    return load_address(offset) + _masked(network.netmask.packed) + _compare(network.network_address.packed)


def _expression(name: str, *attributes: bytes) -> bytes:
    return attribute(
        NESTED | n.LIST_ELEM, attribute(n.EXPR_NAME, name), attribute(NESTED | n.EXPR_DATA, *attributes)
    )


def _payload(base: int, offset: int, length: int) -> bytes:
    where = number(n.PAYLOAD_BASE, base) + number(n.PAYLOAD_OFFSET, offset)
    where += number(n.PAYLOAD_LEN, length)
    return _expression("payload", number(n.PAYLOAD_DREG, n.REGISTER), where)


def load_address(offset: int) -> bytes:
    """The address at this offset of the packet into the register."""
    return _payload(n.NETWORK_HEADER, offset, 4)


def _load_meta(key: int) -> bytes:
    return _expression("meta", number(n.META_DREG, n.REGISTER), number(n.META_KEY, key))


def match_device(key: int, side: Side) -> bytes:
    """That a packet came from (or, by the key, goes to) this side of the router."""
    name = UPLINK.encode().ljust(16, b"\0")
    return _load_meta(key) + _compare(name, n.CMP_EQ if side == "internet" else n.CMP_NEQ)


def _compare(value: bytes, operator: int = n.CMP_EQ) -> bytes:
    what = number(n.CMP_OP, operator) + attribute(NESTED | n.CMP_DATA, attribute(n.DATA_VALUE, value))
    return _expression("cmp", number(n.CMP_SREG, n.REGISTER), what)


def _masked(mask: bytes) -> bytes:
    registers = number(n.BITWISE_SREG, n.REGISTER) + number(n.BITWISE_DREG, n.REGISTER)
    length = number(n.BITWISE_LEN, len(mask))
    values = attribute(NESTED | n.BITWISE_MASK, attribute(n.DATA_VALUE, mask))
    values += attribute(NESTED | n.BITWISE_XOR, attribute(n.DATA_VALUE, bytes(len(mask))))
    return _expression("bitwise", registers, length, values)


def _load_connection(key: int) -> bytes:
    return _expression("ct", number(n.CT_DREG, n.REGISTER), number(n.CT_KEY, key))


def _established() -> bytes:
    return (
        _load_connection(n.CT_STATE)
        + _masked(struct.pack("=I", n.CT_ESTABLISHED_OR_RELATED))
        + _compare(bytes(4), n.CMP_NEQ)
    )


def _lookup(name: str, *, mapped: bool = False) -> bytes:
    """Match when the register is in the set; a map then leaves its value in the register."""
    found = number(n.LOOKUP_DREG, n.REGISTER) if mapped else b""
    return _expression("lookup", attribute(n.LOOKUP_SET, name), number(n.LOOKUP_SREG, n.REGISTER), found)


def translate_by_map(map_name: str, kind: int) -> bytes:
    """Translate as the map says for the address in the register."""
    return _lookup(map_name, mapped=True) + _nat(kind)


def translate_to(address: str) -> bytes:
    """Show this address as the source."""
    return _load_value(n.REGISTER, ipv4(address)) + _nat(n.SNAT)


def lead_to(address: str, port: int) -> bytes:
    """Lead to this address and port instead."""
    load = _load_value(n.REGISTER, ipv4(address)) + _load_value(n.PORT_REGISTER, struct.pack(">H", port))
    return load + _nat(n.DNAT, number(n.NAT_REG_PROTO_MIN, n.PORT_REGISTER))


def _nat(kind: int, *more: bytes) -> bytes:
    """Translate to the address in the register."""
    what = number(n.NAT_TYPE, kind) + number(n.NAT_FAMILY, socket.AF_INET)
    return _expression("nat", what, number(n.NAT_REG_ADDR_MIN, n.REGISTER), *more)


def _load_value(register: int, value: bytes) -> bytes:
    data = attribute(NESTED | n.IMMEDIATE_DATA, attribute(n.DATA_VALUE, value))
    return _expression("immediate", number(n.IMMEDIATE_DREG, register), data)


def give_verdict(name: str) -> bytes:
    """What becomes of the packet: "accept" or "drop"."""
    code = attribute(NESTED | n.DATA_VERDICT, number(n.VERDICT_CODE, n.VERDICTS[name]))
    register = number(n.IMMEDIATE_DREG, n.VERDICT_REGISTER)
    return _expression("immediate", register, attribute(NESTED | n.IMMEDIATE_DATA, code))
