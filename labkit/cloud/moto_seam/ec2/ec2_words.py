"""EC2's words for what is not there or there already, where plain moto has others.

What belongs here: codes and messages. What does not: deciding that something is missing.

AWS: EC2 API reference, "Error codes for the Amazon EC2 API".
"""

import re
from collections.abc import Mapping
from typing import Any

from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

#: moto's message → EC2's code ("" is moto's own) and message
_WORDS = tuple(
    (re.compile(pattern).fullmatch, code, words)
    for pattern, code, words in (
        (r"VpcID \{?'?([^'}]*)'?\}? does not exist\.", "", "The vpc ID '{}' does not exist"),
        (r"InternetGatewayID (\S+) does not exist\.", "", "The internetGateway ID '{}' does not exist"),
        (r"DhcpOptionID (\S+) does not exist\.", "", "The dhcpOption ID '{}' does not exist"),
        (
            r"The network acl ID '(.*)' does not exist",
            "InvalidNetworkAclID.NotFound",
            "The networkAcl ID '{}' does not exist",
        ),
        (
            r"The routeTable ID '(acl-.*)' does not exist",
            "InvalidNetworkAclID.NotFound",
            "The networkAcl ID '{}' does not exist",
        ),
        (r"The keypair '(.*)' does not exist\.", "", "The key pair '{}' does not exist"),
    )
)


def correct_words(replacements: Replacements) -> None:
    """Let EC2 say what it says on AWS."""
    import moto.ec2.models.security_groups as groups
    from moto.ec2.exceptions import EC2ClientError

    replacements.add(EC2ClientError, "__init__", _init)
    for way in ("ingress", "egress"):
        replacements.around(groups.SecurityGroupBackend, f"authorize_security_group_{way}")(_authorize)


def _init(self: Any, *words: str) -> None:
    from moto.core.exceptions import ServiceException

    if len(words) == 2:
        words = reworded(*words)
    ServiceException.__init__(self, *words)


def reworded(code: str, message: str) -> tuple[str, str]:
    """EC2's code and message for moto's."""
    for fits, own, words in _WORDS:
        if found := fits(message):
            return own or code, words.format(found[1])
    return code, message


def _authorize(original: Any, self: Any, *args: Any, **rule: Any) -> Any:
    from moto.ec2.exceptions import InvalidPermissionDuplicateError

    try:
        return original(self, *args, **rule)
    except InvalidPermissionDuplicateError:
        if not rule:
            raise
        raise ec2_error(
            "InvalidPermission.Duplicate", f'the specified rule "{_told(rule)}" already exists'
        ) from None


def _told(rule: Mapping[str, Any]) -> str:
    """A rule as EC2 tells it: peer, protocol and ports."""
    peers = [each.get("CidrIp") or each.get("CidrIpv6") for each in rule.get("ip_ranges") or ()]
    peers += [each.get("GroupId") or each.get("GroupName") for each in rule.get("source_groups") or ()]
    peers += [each.get("PrefixListId") for each in rule.get("prefix_list_ids") or ()]
    peer = f"peer: {', '.join(map(str, peers))}"
    protocol = str(rule.get("ip_protocol")).upper()
    if protocol == "-1":
        return f"{peer}, ALL, ALLOW"
    return f"{peer}, {protocol}, from port: {rule.get('from_port')}, to port: {rule.get('to_port')}, ALLOW"
