"""The ways into the server, read from its groups' rules.

What belongs here: what the checks of the door share. What does not: what may be open (the checks).
"""

import ipaddress
from dataclasses import dataclass

from labkit.aws.network.descriptions import topology_of
from labkit.aws.network.model import is_private
from labkit.aws.network.openings import Opening, openings
from labkit.grading.api import Failed, Lab

_PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")


@dataclass(frozen=True)
class Doors:
    """All openings of the server, the function's groups, and the groups that anybody may have without being given it.

    `functions` are the groups by which the function can be told from others: not the VPC's default group, and not
    the server's own unless the function has no other.
    """

    all: tuple[Opening, ...]
    functions: frozenset[str]
    has_own_group: bool

    def not_functions(self, port: int) -> list[Opening]:
        """The openings of this TCP port for others than the function."""
        found = [each for each in self.all if each.admits("tcp", port)]
        return [each for each in found if each.permission.group_id not in self.functions]

    def beside(self, port: int) -> list[Opening]:
        """The openings of anything besides this TCP port, whoever is let in.

        Where the port itself is shut, one other port open to a group alone is the door in the wrong place, which
        is told elsewhere, and no further way in.
        """
        found = [each for each in self.all if not each.admits_only("tcp", port)]
        misplaced = len(found) == 1 and len(self.all) == 1 and self.is_functions(found[0])
        return [] if misplaced and _is_one_port(found[0]) else found

    def is_functions(self, opening: Opening) -> bool:
        """Whether it is for the function, or may be: a function without a group of its own can't be told apart."""
        group = opening.permission.group_id
        return group in self.functions or (bool(group) and not self.has_own_group)


def doors(lab: Lab) -> Doors:
    """The server's doors as they are now. Raises Failed when it does not run."""
    topology = topology_of(lab.clients)
    server = lab.server.instance_id
    interfaces = [each for each in topology.interfaces if each.name.split("/")[0] == server]
    if not interfaces:
        raise Failed(
            "your server does not run: it has no door to look at", expected="running", found="not running"
        )
    default = {group.group_id for group in topology.state.groups if group.name == "default"}
    on_function = set((lab.function.configuration.get("VpcConfig") or {}).get("SecurityGroupIds", ()))
    on_server = {group for each in interfaces for group in each.security_group_ids}
    functions = on_function - default
    found = (opening for each in interfaces for opening in openings(topology, each))
    return Doors(tuple(dict.fromkeys(found)), frozenset(functions), bool(functions - on_server))


def lets_in_the_world(opening: Opening) -> bool:
    """Whether the source reaches beyond private networks."""
    if opening.permission.group_id:
        return False
    network = ipaddress.ip_network(opening.permission.cidr, strict=False)
    if network.version == 6:
        return not network.subnet_of(_PRIVATE_IPV6)
    return not all(is_private(str(end)) for end in (network[0], network[-1]))


def _is_one_port(opening: Opening) -> bool:
    return opening.admits_only("tcp", opening.permission.from_port)
