"""What EC2 checks of a rule before it takes it, where plain moto takes anything: protocols, ports, networks, words.

What belongs here: rules of security groups and network ACLs, destinations of routes, CIDR blocks of VPCs and subnets. What
does not: whether a rule lets anything pass (labkit.aws.network), and what keeps something from being deleted (ec2_dependencies).

AWS: EC2 API reference, IpPermission, IpRange, CreateNetworkAclEntry, CreateRoute, CreateVpc ("We modify the specified CIDR
block to its canonical form"); "Error codes for the Amazon EC2 API".
"""

import inspect
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

PORTS, ICMP = (0, 65_535), (-1, 255)
ACL_RULES = (1, 32_766)
#: lengths of the prefixes that a subnet may have (CreateSubnet)
_OF_SUBNETS = range(16, 29)
#: protocols by name or number, and what their two numbers mean; of any other the numbers are not looked at
_PORTED = {"tcp": "TCP", "6": "TCP", "udp": "UDP", "17": "UDP"}
_ICMP = ("icmp", "1", "icmpv6", "58")
_ALL = "-1"
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}").fullmatch
_BOTH = "Must specify both from and to ports with {}."


def correct_rules(replacements: Replacements) -> None:
    """Check rules and networks before moto takes them; networks are kept in their canonical form."""
    import moto.ec2.models.network_acls as acls
    import moto.ec2.models.route_tables as tables
    import moto.ec2.models.subnets as subnets
    import moto.ec2.models.vpcs as vpcs
    import moto.ec2.responses.network_acls as acl_responses
    import moto.ec2.responses.security_groups as groups

    replacements.around(groups.SecurityGroups, "_process_rules_from_querystring")(_rules)
    replacements.around(groups.SecurityGroups, "modify_security_group_rules")(_modify)
    for name in ("create_network_acl_entry", "replace_network_acl_entry"):
        replacements.around(acl_responses.NetworkACLs, name)(_entry)
    for owner, names, argument in (
        (acls.NetworkAclBackend, ("create_network_acl_entry", "replace_network_acl_entry"), "cidr_block"),
        (tables.RouteBackend, ("create_route", "replace_route", "delete_route"), "destination_cidr_block"),
        (vpcs.VPCBackend, ("create_vpc",), "cidr_block"),
        (subnets.SubnetBackend, ("create_subnet",), "cidr_block"),
    ):
        for name in names:
            _with_network(replacements, owner, name, argument)


def _with_network(replacements: Replacements, owner: Any, name: str, argument: str) -> None:
    signature = inspect.signature(vars(owner)[name])

    @replacements.around(owner, name)
    def checked(original: Any, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        # moto itself deletes routes by the ids of prefix lists, which it gives in the network's place
        if "/" in str(bound.arguments.get(argument)) or (
            bound.arguments.get(argument) and name != "delete_route"
        ):
            bound.arguments[argument] = _canonical(
                str(bound.arguments[argument]), "CIDR block {} is malformed"
            )
        network = bound.arguments.get(argument)
        if name == "create_subnet" and network is None:
            raise ec2_error("MissingParameter", "The request must contain the parameter CidrBlock")
        if name == "create_subnet" and int(str(network).rpartition("/")[2]) not in _OF_SUBNETS:
            raise ec2_error("InvalidSubnet.Range", f"The CIDR '{network}' is invalid.")
        return original(*bound.args, **bound.kwargs)


def _rules(original: Any, self: Any) -> Iterator[dict[str, Any]]:
    """All rules of a request, checked before the first is taken."""
    found = [{**rule, "ip_ranges": list(_ranges(rule["ip_ranges"]))} for rule in original(self)]
    for rule in found:
        if not rule["security_rule_ids"]:
            check_rule(rule["ip_protocol"], rule["from_port"], rule["to_port"])
            if str(rule["ip_protocol"]).lower() not in (*_PORTED, *_ICMP):
                rule |= {"from_port": -1, "to_port": -1}
            _check_texts(
                (*rule["ip_ranges"], *(rule["source_groups"] or ()), *(rule["prefix_list_ids"] or ()))
            )
    yield from found


def _ranges(given: Sequence[Any]) -> Iterator[Any]:
    for each in given or ():
        names = [name for name in ("CidrIp", "CidrIpv6") if isinstance(each, dict) and each.get(name)]
        yield (
            {**each, **{name: _canonical(each[name], "CIDR block {} is malformed") for name in names}}
            if names
            else each
        )


def _modify(original: Any, self: Any) -> Any:
    for each in self._get_param("SecurityGroupRules", []):
        rule = each.get("SecurityGroupRule")
        if rule is None:
            raise ec2_error("MissingParameter", "The request must contain the parameter SecurityGroupRule")
        check_rule(rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort"))
        for name in ("CidrIpv4", "CidrIpv6"):
            if rule.get(name):
                rule[name] = _canonical(rule[name], "CIDR block {} is malformed")
        _check_texts([rule])
    return original(self)


def check_rule(protocol: object, low: object, high: object) -> None:
    """Raise EC2's error for a protocol that there is not, or ports (ICMP: type and code) that can't be."""
    name = str(protocol if protocol is not None else "").lower()
    if not name:
        raise ec2_error("MissingParameter", "The request must contain the parameter ipProtocol")
    if name in _PORTED:
        _check_ports(_PORTED[name], low, high)
    elif name in _ICMP:
        _check_icmp(name, low, high)
    elif name != _ALL and not (name.isdecimal() and int(name) <= 255):
        raise _invalid(protocol, "IP protocol", " Unknown protocol.")


def _check_ports(protocol: str, low: object, high: object) -> None:
    first, last = _number(low), _number(high)
    if first is None or last is None:
        raise _invalid(_BOTH.format("TCP/UDP"), "portRange")
    for port in (first, last):
        if not PORTS[0] <= port <= PORTS[1]:
            raise _invalid(port, "portRange")
    if first > last:
        raise ec2_error("InvalidParameterValue", f"Invalid {protocol} range. ({first}-{last})")


def _check_icmp(name: str, low: object, high: object) -> None:
    first, last = _number(low), _number(high)
    if name in ("icmpv6", "58") and first is None and last is None:
        return
    if first is None or last is None:
        raise _invalid(_BOTH.format("ICMP"), "portRange")
    for number in (first, last):
        if not ICMP[0] <= number <= ICMP[1]:
            raise _invalid(number, "portRange")
    if first == -1 and last != -1:
        raise _invalid(f"{first}-{last}", "portRange")


def _number(value: object) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(str(value))
    except ValueError:
        raise _invalid(value, "portRange") from None


def _check_texts(given: Sequence[Mapping[str, Any]]) -> None:
    for each in given:
        text = each.get("Description") if isinstance(each, Mapping) else None
        if text and not _DESCRIPTION(str(text)):
            raise ec2_error(
                "InvalidParameterValue",
                "Invalid rule description. Valid descriptions are strings less than 256 characters from the following "
                "set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
            )


def _entry(original: Any, self: Any) -> Any:
    """An entry of a network ACL."""
    number, action = _number(self._get_param("RuleNumber")), self._get_param("RuleAction")
    if number is None or not ACL_RULES[0] <= number <= ACL_RULES[1]:
        raise _value(number, "ruleNumber", "Must be from 1 to 32766.")
    if action not in ("allow", "deny"):
        raise _value(action, "ruleAction", "Legal values: allow, deny")
    protocol = str(self._get_param("Protocol")).lower()
    if protocol in _PORTED and self._get_param("PortRange") is None:
        raise ec2_error("MissingParameter", "The request must contain the parameter PortRange")
    what = (
        ("IcmpTypeCode.Type", "IcmpTypeCode.Code")
        if protocol in _ICMP
        else ("PortRange.From", "PortRange.To")
    )
    check_rule(protocol, *(self._get_param(name) for name in what))
    return original(self)


def _canonical(text: str, words: str) -> str:
    """The network with no bit set beyond its prefix. Raises EC2's error for what is none."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ec2_error("InvalidParameterValue", words.format(text)) from None


def _invalid(value: object, what: str, more: str = "") -> Exception:
    return ec2_error("InvalidParameterValue", f"Invalid value '{value}' for {what}.{more}")


def _value(value: object, name: str, why: str) -> Exception:
    return ec2_error("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid. {why}")
