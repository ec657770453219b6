"""Packet rules for the kernel's nf_tables: a plain JSON-able rule set becomes netlink messages.

What belongs here: the shape of a rule set, and its tables, chains and sets as messages. What does not: what one rule
says (expressions.py), where rules come from (labkit.cloud.network.compile) and where they are applied (router.py).
Runs in the warm parent: the standard library alone.

Two tables per router. "plumbing" is there from the start: nothing is delivered to the router itself
nor sent by it, and public addresses are translated one to one. "rules" holds the rule set and is
replaced as a whole; the members of its address sets change alone, which costs next to nothing.
"""

import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

from labkit.sandbox.kernel import expressions
from labkit.sandbox.kernel import nf_tables as n
from labkit.sandbox.kernel.expressions import Rule
from labkit.sandbox.kernel.netlink import (
    APPEND,
    CREATE,
    EXCLUSIVE,
    NESTED,
    Message,
    attribute,
    ipv4,
    number,
)


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


_ELEMENTS_AT_ONCE = 500

_PLUMBING, _RULES = "plumbing", "rules"
_TO_PRIVATE, _TO_PUBLIC = "private", "public"  # maps: public → private address, and back
_TO_CARRIER = "carrier"  # a map: private address → what the carried network sees
# Of two chains that could translate a packet the first one to do so has the last word.
_CARRIER_PRIORITY, _SHARED_PRIORITY, _PUBLIC_PRIORITY = 80, 90, 100


def transaction(messages: Sequence[Message]) -> list[Message]:
    """`messages` as one change: all or nothing. To be talked with `acknowledged=-2`."""
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, socket.htons(n.SUBSYSTEM))
    begin = Message(n.BATCH_BEGIN, 0, body, "begin a change of rules")
    return [begin, *messages, Message(n.BATCH_END, 0, body, "commit a change of rules")]


def plumbing(*, uplink: bool, carried: str = "") -> list[Message]:
    """The table every router has: it is silent itself and, with an uplink, translates addresses.

    `carried` is the network in which callers are known by their carrier addresses ("": none).
    """
    table = [_table(n.MSG_NEWTABLE, _PLUMBING)]
    for name, hook in (("to the router", n.INPUT), ("from the router", n.OUTPUT)):
        table.append(_base_chain(_PLUMBING, name, hook=hook, priority=0, policy="drop"))
    return table + _translation(carried) if uplink else table


def _translation(carried: str) -> list[Message]:
    """One-to-one translation. Who may leave without a public address is the rules' affair."""
    incoming, outgoing = (
        expressions.match_device(n.META_IIFNAME, "internet"),
        expressions.match_device(n.META_OIFNAME, "internet"),
    )
    to_private = (
        incoming
        + expressions.load_address(n.DESTINATION_OFFSET)
        + expressions.translate_by_map(_TO_PRIVATE, n.DNAT)
    )
    to_public = (
        outgoing
        + expressions.load_address(n.SOURCE_OFFSET)
        + expressions.translate_by_map(_TO_PUBLIC, n.SNAT)
    )
    to_carrier = (
        outgoing
        + expressions.match_peer(n.DESTINATION_OFFSET, carried)
        + expressions.load_address(n.SOURCE_OFFSET)
        + expressions.translate_by_map(_TO_CARRIER, n.SNAT)
    )
    t = _PLUMBING
    return [
        _set(t, _TO_PRIVATE, index=1, mapped=True),
        _set(t, _TO_PUBLIC, index=2, mapped=True),
        _set(t, _TO_CARRIER, index=3, mapped=True),
        _base_chain(t, "dnat", hook=n.PREROUTING, priority=-100, policy="accept", kind="nat"),
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
        _table(n.MSG_NEWTABLE, name),
        _base_chain(name, "moved", hook=n.OUTPUT, priority=-100, policy="accept", kind="nat"),
        _rule(
            name,
            "moved",
            expressions.match_peer(n.DESTINATION_OFFSET, address)
            + expressions.match_service(service)
            + expressions.lead_to(address, to),
        ),
    ]


def map_carrier(private: str, carrier: str) -> list[Message]:
    """The carried network sees `private` as `carrier` from now on."""
    return [_elements(n.MSG_NEWSETELEM, _PLUMBING, _TO_CARRIER, [_element(private, carrier)])]


def unmap_carrier(private: str) -> list[Message]:
    """As before map_carrier."""
    return [_elements(n.MSG_DELSETELEM, _PLUMBING, _TO_CARRIER, [_element(private)])]


def map_public(private: str, public: str) -> list[Message]:
    """Translate between the two addresses from now on."""
    pairs = ((_TO_PRIVATE, public, private), (_TO_PUBLIC, private, public))
    return [_elements(n.MSG_NEWSETELEM, _PLUMBING, name, [_element(a, b)]) for name, a, b in pairs]


def unmap_public(private: str, public: str) -> list[Message]:
    """Stop translating between the two addresses, which must have been mapped."""
    pairs = ((_TO_PRIVATE, public), (_TO_PUBLIC, private))
    return [_elements(n.MSG_DELSETELEM, _PLUMBING, name, [_element(address)]) for name, address in pairs]


def replace_rules(rules: RuleSet) -> list[Message]:
    """The rule set in place of whatever was there."""
    fresh = [_table(n.MSG_NEWTABLE, _RULES), _table(n.MSG_DELTABLE, _RULES), _table(n.MSG_NEWTABLE, _RULES)]
    shared = _shared_addresses(rules.get("translations", []))
    return [*fresh, *_all_sets(rules["sets"]), *_all_chains(rules["chains"]), *shared]


def _shared_addresses(translations: Sequence[Translation]) -> Iterator[Message]:
    """What NAT gateways do."""
    if translations:
        yield _nat_chain(_RULES, "shared", _SHARED_PRIORITY)
    outgoing = expressions.match_device(n.META_OIFNAME, "internet")
    for each in translations:
        ends = expressions.match_peer(n.SOURCE_OFFSET, each["source"]) + expressions.match_peer(
            n.DESTINATION_OFFSET, each["destination"]
        )
        act = expressions.translate_to(each["to"]) if each["to"] else expressions.give_verdict("accept")
        yield _rule(_RULES, "shared", outgoing + ends + act)


def _all_sets(sets: Mapping[str, Sequence[str]]) -> Iterator[Message]:
    for index, (name, members) in enumerate(sets.items(), 1):
        yield _set(_RULES, name, index=index)
        yield from _members(n.MSG_NEWSETELEM, name, members)


def _all_chains(chains: Iterable[Chain]) -> Iterator[Message]:
    for chain in chains:
        name, policy = chain["name"], chain["policy"]
        yield _base_chain(_RULES, name, hook=n.FORWARD, priority=chain["priority"], policy=policy)
        for rule in chain["rules"]:
            yield _rule(_RULES, name, expressions.say_rule(rule), label=rule.get("why", ""))


def change_members(changes: Mapping[str, Change]) -> list[Message]:
    """Take addresses out of sets and put others in; the sets and the addresses removed must exist."""
    messages: list[Message] = []
    for name, change in changes.items():
        messages += _members(n.MSG_DELSETELEM, name, change.get("remove", []))
        messages += _members(n.MSG_NEWSETELEM, name, change.get("add", []))
    return messages


def _members(kind: int, name: str, addresses: Sequence[str]) -> Iterator[Message]:
    for start in range(0, len(addresses), _ELEMENTS_AT_ONCE):
        some = addresses[start : start + _ELEMENTS_AT_ONCE]
        yield _elements(kind, _RULES, name, [_element(address) for address in some])


# --- objects ---------------------------------------------------------------------------------------


def _message(kind: int, flags: int, label: str, *attributes: bytes) -> Message:
    header = struct.pack("=BBH", socket.AF_INET, 0, 0)
    return Message(n.SUBSYSTEM << 8 | kind, flags, header + b"".join(attributes), label)


def _table(kind: int, name: str) -> Message:
    return _message(
        kind, CREATE if kind == n.MSG_NEWTABLE else 0, f"table {name}", attribute(n.TABLE_NAME, name)
    )


def _base_chain(
    table: str, name: str, *, hook: int, priority: int, policy: str, kind: str = "filter"
) -> Message:
    where = attribute(
        NESTED | n.CHAIN_HOOK,
        number(n.HOOK_HOOKNUM, hook),
        number(n.HOOK_PRIORITY, priority),
    )
    what = number(n.CHAIN_POLICY, n.VERDICTS[policy]) + attribute(n.CHAIN_TYPE, kind)
    return _message(
        n.MSG_NEWCHAIN,
        CREATE,
        f"chain {name}",
        attribute(n.CHAIN_TABLE, table),
        attribute(n.CHAIN_NAME, name),
        where,
        what,
    )


def _nat_chain(table: str, name: str, priority: int) -> Message:
    return _base_chain(table, name, hook=n.POSTROUTING, priority=priority, policy="accept", kind="nat")


def _set(table: str, name: str, *, index: int, mapped: bool = False) -> Message:
    key = number(n.SET_FLAGS, n.SET_MAP if mapped else 0) + _kind(n.SET_KEY_TYPE, n.SET_KEY_LEN)
    data = _kind(n.SET_DATA_TYPE, n.SET_DATA_LEN) if mapped else b""
    names = attribute(n.SET_TABLE, table) + attribute(n.SET_NAME, name)
    return _message(
        n.MSG_NEWSET,
        CREATE | EXCLUSIVE,
        f"set {name}",
        names,
        key,
        data,
        number(n.SET_ID, index),
    )


def _kind(type_attribute: int, length_attribute: int) -> bytes:
    """That a set's keys or values are IPv4 addresses."""
    return number(type_attribute, n.IPV4_TYPE) + number(length_attribute, 4)


def _element(key: str, data: str = "") -> bytes:
    value = attribute(NESTED | n.SET_ELEM_DATA, attribute(n.DATA_VALUE, ipv4(data))) if data else b""
    named = attribute(NESTED | n.SET_ELEM_KEY, attribute(n.DATA_VALUE, ipv4(key)))
    return attribute(NESTED | n.LIST_ELEM, named, value)


def _elements(kind: int, table: str, name: str, elements: Sequence[bytes]) -> Message:
    flags = CREATE if kind == n.MSG_NEWSETELEM else 0
    names = attribute(n.SET_ELEM_LIST_TABLE, table) + attribute(n.SET_ELEM_LIST_SET, name)
    return _message(
        kind, flags, f"members of set {name}", names, attribute(NESTED | n.SET_ELEM_LIST_ELEMENTS, *elements)
    )


def _rule(table: str, chain: str, said: bytes, *, label: str = "") -> Message:
    names = attribute(n.RULE_TABLE, table) + attribute(n.RULE_CHAIN, chain)
    body = attribute(NESTED | n.RULE_EXPRESSIONS, said)
    return _message(n.MSG_NEWRULE, CREATE | APPEND, f"rule in chain {chain}: {label}", names, body)
