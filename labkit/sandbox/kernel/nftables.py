"""Packet rules for the kernel's nf_tables: a plain JSON-able rule set becomes netlink messages.

What belongs here: the shape of a rule set, and how each match is said to the kernel. What does not:
where rules come from (labkit.cloud.network.compile) and where they are applied (router.py).
Runs in the warm parent: the standard library alone.

Two tables per router. "plumbing" is there from the start: nothing is delivered to the router itself
nor sent by it, and public addresses are translated one to one. "rules" holds the rule set and is
replaced as a whole; the members of its address sets change alone, which costs next to nothing.
"""

import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

from labkit.sandbox.kernel.netlink import APPEND, CREATE, EXCLUSIVE, NESTED, Message, attribute, ipv4

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


class Translation(TypedDict):
    """What leaves from `source` for `destination` shows the address `to`; "" leaves it as it is.

    The first match decides. Many may share one address: ports are translated too.
    """

    source: str
    destination: str
    to: str


class Chain(TypedDict):
    """A stage that each packet passes; a packet must be accepted by every stage, in order of priority."""

    name: str
    priority: int
    policy: str  # what becomes of a packet that no rule matches: "accept" or "drop"
    rules: list[Rule]


class RuleSet(TypedDict):
    """All rules of a router: named sets of addresses, the stages, shared addresses of those who leave."""

    sets: dict[str, list[str]]
    chains: list[Chain]
    translations: NotRequired[list[Translation]]


class Change(TypedDict, total=False):
    """How the membership of one set changes."""

    add: list[str]
    remove: list[str]


# <linux/netfilter/nfnetlink.h>, <linux/netfilter/nf_tables.h>
_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE, _NEW_SET, _NEW_ELEMENT, _DELETE_ELEMENT = (
    0,
    2,
    3,
    6,
    9,
    12,
    14,
)
_PREROUTING, _INPUT, _FORWARD, _OUTPUT, _POSTROUTING = range(5)
_REGISTER, _PORT_REGISTER = 1, 2
_EQUAL, _NOT_EQUAL, _LOWER_EQUAL, _GREATER_EQUAL = 0, 1, 3, 5
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SOURCE_OFFSET, _DESTINATION_OFFSET, _PORT_OFFSET = 12, 16, 2
_META_INPUT_NAME, _META_OUTPUT_NAME, _META_PROTOCOL = 6, 7, 16
_CT_STATE, _CT_DIRECTION = 0, 1
_ESTABLISHED_OR_RELATED = 2 | 4
_MAP_FLAG = 8
_IPV4_TYPE = 7
_SNAT, _DNAT = 0, 1
_ELEMENTS_AT_ONCE = 500
_VERDICTS = {"drop": 0, "accept": 1}

_PLUMBING, _RULES = "plumbing", "rules"
_TO_PRIVATE, _TO_PUBLIC = "private", "public"  # maps: public → private address, and back
_TO_CARRIER = "carrier"  # a map: private address → what the carried network sees
# Of two chains that could translate a packet the first one to do so has the last word.
_CARRIER_PRIORITY, _SHARED_PRIORITY, _PUBLIC_PRIORITY = 80, 90, 100


def transaction(messages: Sequence[Message]) -> list[Message]:
    """`messages` as one change: all or nothing. To be talked with `acknowledged=-2`."""
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, socket.htons(_SUBSYSTEM))
    begin = Message(_BATCH_BEGIN, 0, body, "begin a change of rules")
    return [begin, *messages, Message(_BATCH_END, 0, body, "commit a change of rules")]


def plumbing(*, uplink: bool, carried: str = "") -> list[Message]:
    """The table every router has: it is silent itself and, with an uplink, translates addresses.

    `carried` is the network in which callers are known by their carrier addresses ("": none).
    """
    table = [_table(_NEW_TABLE, _PLUMBING)]
    for name, hook in (("to the router", _INPUT), ("from the router", _OUTPUT)):
        table.append(_base_chain(_PLUMBING, name, hook=hook, priority=0, policy="drop"))
    return table + _translation(carried) if uplink else table


def _translation(carried: str) -> list[Message]:
    """One-to-one translation. Who may leave without a public address is the rules' affair."""
    incoming, outgoing = _device(_META_INPUT_NAME, "internet"), _device(_META_OUTPUT_NAME, "internet")
    to_private = incoming + _address(_DESTINATION_OFFSET) + _translated(_TO_PRIVATE, _DNAT)
    to_public = outgoing + _address(_SOURCE_OFFSET) + _translated(_TO_PUBLIC, _SNAT)
    to_carrier = (
        outgoing
        + _peer(_DESTINATION_OFFSET, carried)
        + _address(_SOURCE_OFFSET)
        + _translated(_TO_CARRIER, _SNAT)
    )
    t = _PLUMBING
    return [
        _set(t, _TO_PRIVATE, number=1, mapped=True),
        _set(t, _TO_PUBLIC, number=2, mapped=True),
        _set(t, _TO_CARRIER, number=3, mapped=True),
        _base_chain(t, "dnat", hook=_PREROUTING, priority=-100, policy="accept", kind="nat"),
        _nat_chain(t, "carrier", _CARRIER_PRIORITY),
        _nat_chain(t, "snat", _PUBLIC_PRIORITY),
        _rule(t, "dnat", to_private),
        *([_rule(t, "carrier", to_carrier)] if carried else []),
        _rule(t, "snat", to_public),
    ]


def moved(address: str, port: int, to: int) -> list[Message]:
    """In an interface's own namespace: what asks for TCP `port` of the local `address` finds `to` there.

    So the port itself stays free for a program that listens on all addresses.
    """
    service: Rule = {"protocol": socket.IPPROTO_TCP, "ports": [port, port]}
    name = f"moved {address} {port}"
    return [
        _table(_NEW_TABLE, name),
        _base_chain(name, "moved", hook=_OUTPUT, priority=-100, policy="accept", kind="nat"),
        _rule(name, "moved", _peer(_DESTINATION_OFFSET, address) + _service(service) + _led_to(address, to)),
    ]


def map_carrier(private: str, carrier: str) -> list[Message]:
    """The carried network sees `private` as `carrier` from now on."""
    return [_elements(_NEW_ELEMENT, _PLUMBING, _TO_CARRIER, [_element(private, carrier)])]


def unmap_carrier(private: str) -> list[Message]:
    """As before map_carrier."""
    return [_elements(_DELETE_ELEMENT, _PLUMBING, _TO_CARRIER, [_element(private)])]


def map_public(private: str, public: str) -> list[Message]:
    """Translate between the two addresses from now on."""
    pairs = ((_TO_PRIVATE, public, private), (_TO_PUBLIC, private, public))
    return [_elements(_NEW_ELEMENT, _PLUMBING, name, [_element(a, b)]) for name, a, b in pairs]


def unmap_public(private: str, public: str) -> list[Message]:
    """Stop translating between the two addresses, which must have been mapped."""
    pairs = ((_TO_PRIVATE, public), (_TO_PUBLIC, private))
    return [_elements(_DELETE_ELEMENT, _PLUMBING, name, [_element(address)]) for name, address in pairs]


def replace_rules(rules: RuleSet) -> list[Message]:
    """The rule set in place of whatever was there."""
    fresh = [_table(_NEW_TABLE, _RULES), _table(_DELETE_TABLE, _RULES), _table(_NEW_TABLE, _RULES)]
    shared = _shared_addresses(rules.get("translations", []))
    return [*fresh, *_all_sets(rules["sets"]), *_all_chains(rules["chains"]), *shared]


def _shared_addresses(translations: Sequence[Translation]) -> Iterator[Message]:
    """What NAT gateways do."""
    if translations:
        yield _nat_chain(_RULES, "shared", _SHARED_PRIORITY)
    outgoing = _device(_META_OUTPUT_NAME, "internet")
    for each in translations:
        ends = _peer(_SOURCE_OFFSET, each["source"]) + _peer(_DESTINATION_OFFSET, each["destination"])
        act = _translated_to(each["to"]) if each["to"] else _verdict("accept")
        yield _rule(_RULES, "shared", outgoing + ends + act)


def _all_sets(sets: Mapping[str, Sequence[str]]) -> Iterator[Message]:
    for number, (name, members) in enumerate(sets.items(), 1):
        yield _set(_RULES, name, number=number)
        yield from _members(_NEW_ELEMENT, name, members)


def _all_chains(chains: Iterable[Chain]) -> Iterator[Message]:
    for chain in chains:
        name, policy = chain["name"], chain["policy"]
        yield _base_chain(_RULES, name, hook=_FORWARD, priority=chain["priority"], policy=policy)
        for rule in chain["rules"]:
            yield _rule(_RULES, name, _expressions(rule), label=rule.get("why", ""))


def change_members(changes: Mapping[str, Change]) -> list[Message]:
    """Take addresses out of sets and put others in; the sets and the addresses removed must exist."""
    messages: list[Message] = []
    for name, change in changes.items():
        messages += _members(_DELETE_ELEMENT, name, change.get("remove", []))
        messages += _members(_NEW_ELEMENT, name, change.get("add", []))
    return messages


def _members(kind: int, name: str, addresses: Sequence[str]) -> Iterator[Message]:
    for start in range(0, len(addresses), _ELEMENTS_AT_ONCE):
        some = addresses[start : start + _ELEMENTS_AT_ONCE]
        yield _elements(kind, _RULES, name, [_element(address) for address in some])


# --- objects ---------------------------------------------------------------------------------------


def _be(number: int) -> bytes:
    return struct.pack(">i", number)


def _message(kind: int, flags: int, label: str, *attributes: bytes) -> Message:
    header = struct.pack("=BBH", socket.AF_INET, 0, 0)
    return Message(_SUBSYSTEM << 8 | kind, flags, header + b"".join(attributes), label)


def _table(kind: int, name: str) -> Message:
    return _message(kind, CREATE if kind == _NEW_TABLE else 0, f"table {name}", attribute(1, name))


def _base_chain(
    table: str, name: str, *, hook: int, priority: int, policy: str, kind: str = "filter"
) -> Message:
    where = attribute(NESTED | 4, attribute(1, _be(hook)), attribute(2, _be(priority)))
    what = attribute(5, _be(_VERDICTS[policy])) + attribute(7, kind)
    return _message(_NEW_CHAIN, CREATE, f"chain {name}", attribute(1, table), attribute(3, name), where, what)


def _nat_chain(table: str, name: str, priority: int) -> Message:
    return _base_chain(table, name, hook=_POSTROUTING, priority=priority, policy="accept", kind="nat")


def _set(table: str, name: str, *, number: int, mapped: bool = False) -> Message:
    key = attribute(3, _be(_MAP_FLAG if mapped else 0)) + attribute(4, _be(_IPV4_TYPE)) + attribute(5, _be(4))
    data = attribute(6, _be(_IPV4_TYPE)) + attribute(7, _be(4)) if mapped else b""
    names = attribute(1, table) + attribute(2, name)
    return _message(_NEW_SET, CREATE | EXCLUSIVE, f"set {name}", names, key, data, attribute(10, _be(number)))


def _element(key: str, data: str = "") -> bytes:
    value = attribute(NESTED | 2, attribute(1, ipv4(data))) if data else b""
    return attribute(NESTED | 1, attribute(NESTED | 1, attribute(1, ipv4(key))), value)


def _elements(kind: int, table: str, name: str, elements: Sequence[bytes]) -> Message:
    flags = CREATE if kind == _NEW_ELEMENT else 0
    names = attribute(1, table) + attribute(2, name)
    return _message(kind, flags, f"members of set {name}", names, attribute(NESTED | 3, *elements))


def _rule(table: str, chain: str, expressions: bytes, *, label: str = "") -> Message:
    names = attribute(1, table) + attribute(2, chain)
    body = attribute(NESTED | 4, expressions)
    return _message(_NEW_RULE, CREATE | APPEND, f"rule in chain {chain}: {label}", names, body)


# --- expressions: each is bytes, and a rule is their sum ---------------------------------------------


def _expressions(rule: Rule) -> bytes:
    """Everything that `rule` says, cheapest matches first."""
    said = b""
    if rule.get("established"):
        said += _established()
    if "direction" in rule:
        said += _load_connection(_CT_DIRECTION) + _compare(bytes([rule["direction"] == "answer"]))
    if "came_from" in rule:
        said += _device(_META_INPUT_NAME, rule["came_from"])
    if "goes_to" in rule:
        said += _device(_META_OUTPUT_NAME, rule["goes_to"])
    for key, offset in (("source", _SOURCE_OFFSET), ("destination", _DESTINATION_OFFSET)):
        said += _peer(offset, str(rule.get(key, "")))
    return said + _service(rule) + _verdict(rule["verdict"])


def _service(rule: Rule) -> bytes:
    said = b""
    if "protocol" in rule:
        said += _load_meta(_META_PROTOCOL) + _compare(bytes([rule["protocol"]]))
    if "ports" in rule:
        lowest, highest = (struct.pack(">H", port) for port in rule["ports"])
        said += _payload(_TRANSPORT_HEADER, _PORT_OFFSET, 2)
        said += _compare(lowest, _GREATER_EQUAL) + _compare(highest, _LOWER_EQUAL)
    if "icmp_type" in rule:
        said += _payload(_TRANSPORT_HEADER, 0, 1) + _compare(bytes([rule["icmp_type"]]))
    return said


def _peer(offset: int, peer: str) -> bytes:
    if not peer:
        return b""
    if peer.startswith("@"):
        return _address(offset) + _lookup(peer[1:])
    network = ipaddress.IPv4Network(peer, strict=False)
    if not network.prefixlen:
        return b""
    return _address(offset) + _masked(network.netmask.packed) + _compare(network.network_address.packed)


def _expression(name: str, *attributes: bytes) -> bytes:
    return attribute(NESTED | 1, attribute(1, name), attribute(NESTED | 2, *attributes))


def _payload(base: int, offset: int, length: int) -> bytes:
    where = attribute(2, _be(base)) + attribute(3, _be(offset)) + attribute(4, _be(length))
    return _expression("payload", attribute(1, _be(_REGISTER)), where)


def _address(offset: int) -> bytes:
    return _payload(_NETWORK_HEADER, offset, 4)


def _load_meta(key: int) -> bytes:
    return _expression("meta", attribute(1, _be(_REGISTER)), attribute(2, _be(key)))


def _device(key: int, side: Side) -> bytes:
    name = UPLINK.encode().ljust(16, b"\0")
    return _load_meta(key) + _compare(name, _EQUAL if side == "internet" else _NOT_EQUAL)


def _compare(value: bytes, operator: int = _EQUAL) -> bytes:
    what = attribute(2, _be(operator)) + attribute(NESTED | 3, attribute(1, value))
    return _expression("cmp", attribute(1, _be(_REGISTER)), what)


def _masked(mask: bytes) -> bytes:
    registers = attribute(1, _be(_REGISTER)) + attribute(2, _be(_REGISTER)) + attribute(3, _be(len(mask)))
    values = attribute(NESTED | 4, attribute(1, mask)) + attribute(NESTED | 5, attribute(1, bytes(len(mask))))
    return _expression("bitwise", registers, values)


def _load_connection(key: int) -> bytes:
    return _expression("ct", attribute(1, _be(_REGISTER)), attribute(2, _be(key)))


def _established() -> bytes:
    return (
        _load_connection(_CT_STATE)
        + _masked(struct.pack("=I", _ESTABLISHED_OR_RELATED))
        + _compare(bytes(4), _NOT_EQUAL)
    )


def _lookup(name: str, *, mapped: bool = False) -> bytes:
    """Match when the register is in the set; a map then leaves its value in the register."""
    found = attribute(3, _be(_REGISTER)) if mapped else b""
    return _expression("lookup", attribute(1, name), attribute(2, _be(_REGISTER)), found)


def _translated(map_name: str, kind: int) -> bytes:
    family = attribute(2, _be(socket.AF_INET))
    nat = _expression("nat", attribute(1, _be(kind)), family, attribute(3, _be(_REGISTER)))
    return _lookup(map_name, mapped=True) + nat


def _translated_to(address: str) -> bytes:
    value = attribute(NESTED | 2, attribute(1, ipv4(address)))
    load = _expression("immediate", attribute(1, _be(_REGISTER)), value)
    where = attribute(1, _be(_SNAT)) + attribute(2, _be(socket.AF_INET)) + attribute(3, _be(_REGISTER))
    return load + _expression("nat", where)


def _led_to(address: str, port: int) -> bytes:
    said = b""
    for register, value in ((_REGISTER, ipv4(address)), (_PORT_REGISTER, struct.pack(">H", port))):
        data = attribute(NESTED | 2, attribute(1, value))
        said += _expression("immediate", attribute(1, _be(register)), data)
    what = attribute(1, _be(_DNAT)) + attribute(2, _be(socket.AF_INET))
    return said + _expression("nat", what, attribute(3, _be(_REGISTER)), attribute(5, _be(_PORT_REGISTER)))


def _verdict(name: str) -> bytes:
    code = attribute(NESTED | 2, attribute(1, _be(_VERDICTS[name])))
    return _expression("immediate", attribute(1, _be(0)), attribute(NESTED | 2, code))
