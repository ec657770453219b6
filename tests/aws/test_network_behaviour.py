"""What AWS's network lets through, with real packets through the kit's own routers."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from labkit.aws.addresses import IMAGE_HOST_ADDRESS
from labkit.aws.network.model import Flow
from labkit.aws.records import (
    GroupRecord,
    InterfaceRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.cloud.network.fabric import Fabric
from labkit.cloud.server.fabrics import fabric_for
from labkit.sandbox.tiers import CHOICES, NAMESPACES, open_best, wanted_here

PORT, CLOSED_PORT = 5417, 5418
SECONDS = 0.3
ANYWHERE = "0.0.0.0/0"
PUBLIC = "54.10.0.1"
EVERYTHING = (Permission("-1", -1, -1, ANYWHERE),)
FROM_FUNCTIONS = (Permission("tcp", PORT, CLOSED_PORT, group_id="sg-function"),)

VPC = VpcRecord("vpc-1", "10.0.0.0/16", "igw-1")
SUBNET = SubnetRecord(
    "subnet-1", "vpc-1", "10.0.1.0/24", "a", (RouteRecord(VPC.cidr, "local"), RouteRecord(ANYWHERE, "igw-1"))
)
FUNCTIONS = GroupRecord("sg-function", "function", "vpc-1", (), EVERYTHING)
SERVERS = GroupRecord("sg-server", "server", "vpc-1", FROM_FUNCTIONS, EVERYTHING)
STATE = NetworkState((VPC,), (SUBNET,), (FUNCTIONS, SERVERS))

SERVER = InterfaceRecord("server", "vpc-1", "subnet-1", "10.0.1.23", "", ("sg-server",))
FUNCTION = InterfaceRecord("function", "vpc-1", "subnet-1", "10.0.1.200", "", ("sg-function",))
INTERNET = InterfaceRecord("internet", "", "", IMAGE_HOST_ADDRESS, "", ())
OUTSIDE = InterfaceRecord("outside", "", "", "", "", ())


@dataclass
class Lab:
    """A network in which a test changes records and tries connections."""

    fabric: Fabric
    stack: contextlib.ExitStack
    state: NetworkState = STATE

    def attach(self, *interfaces: InterfaceRecord) -> None:
        """Each of them listens on PORT, and on nothing else."""
        for interface in interfaces:
            for listener in self.fabric.attach(interface, listen=[("0.0.0.0", PORT)]):
                self.stack.callback(listener.close)
            self.stack.callback(self.fabric.detach, interface.name)

    def apply(self, state: NetworkState) -> None:
        self.state = state
        self.fabric.update(state)

    def ingress(self, *permissions: Permission) -> None:
        """Replace what the server's group lets in."""
        self.apply(replace(self.state, groups=(FUNCTIONS, replace(SERVERS, ingress=permissions))))

    def call(self, source: str, address: str, port: int = PORT) -> str:
        """What the caller meets, "answered", "refused" or "timed out"; the decision must agree."""
        answer = self._connect(source, address, port)
        verdict = self.fabric.decide(Flow(source, address, port))
        assert verdict.arrives == (answer != "timed out"), verdict.reason
        return answer

    def _connect(self, source: str, address: str, port: int) -> str:
        try:
            self.fabric.connect(source, address, port, timeout=SECONDS).close()
        except TimeoutError:
            return "timed out"
        except ConnectionRefusedError:
            return "refused"
        return "answered"


def host_has_namespaces() -> bool:
    return CHOICES[wanted_here()[0]][0] == NAMESPACES


@pytest.fixture(scope="module")
def fabric() -> Iterator[Fabric]:
    with open_best(wanted=wanted_here()[0]).host as host:
        made = fabric_for(host)
        yield made
        made.close()


@pytest.fixture
def lab(fabric: Fabric) -> Iterator[Lab]:
    with contextlib.ExitStack() as stack:
        stack.callback(fabric.update, NetworkState())
        lab = Lab(fabric, stack)
        lab.apply(STATE)
        yield lab


def test_a_security_group_without_a_matching_rule_times_out(lab: Lab) -> None:
    """VPC user guide, Security groups: what no rule allows is dropped, not refused."""
    lab.attach(SERVER, FUNCTION)
    lab.ingress()
    assert lab.call("function", SERVER.address) == "timed out"


def test_an_open_port_without_a_listener_refuses(lab: Lab) -> None:
    """EC2 user guide, Troubleshoot connecting: a refusal means that the packet arrived."""
    lab.attach(SERVER, FUNCTION)
    assert lab.call("function", SERVER.address, CLOSED_PORT) == "refused"
    assert lab.call("function", SERVER.address, CLOSED_PORT + 1) == "timed out"


def test_a_group_as_source_admits_its_members_alone(lab: Lab) -> None:
    """VPC user guide, Security group rules: a group as source stands for its members' private addresses."""
    lab.attach(SERVER, FUNCTION, replace(FUNCTION, name="other", address="10.0.1.201", security_group_ids=()))
    assert lab.call("function", SERVER.address) == "answered"
    assert lab.call("other", SERVER.address) == "timed out"
    assert lab.call("server", FUNCTION.address) == "timed out"


def test_a_member_is_admitted_from_the_moment_it_joins_the_group(lab: Lab) -> None:
    """EC2 API reference, ModifyInstanceAttribute (GroupId): changed groups take effect at once."""
    lab.attach(SERVER, replace(FUNCTION, security_group_ids=()))
    assert lab.call("function", SERVER.address) == "timed out"
    lab.fabric.update_interface(FUNCTION)
    assert lab.call("function", SERVER.address) == "answered"
    lab.fabric.update_interface(replace(FUNCTION, security_group_ids=("sg-server",)))
    assert lab.call("function", SERVER.address) == "timed out"


@pytest.mark.parametrize(("cidr", "answer"), [("10.0.1.200/32", "answered"), ("10.0.2.0/24", "timed out")])
def test_a_cidr_source_admits_its_addresses(lab: Lab, cidr: str, answer: str) -> None:
    """VPC user guide, Security group rules: the source may be a CIDR block, /32 for one address."""
    lab.attach(SERVER, FUNCTION)
    lab.ingress(Permission("tcp", PORT, PORT, cidr))
    assert lab.call("function", SERVER.address) == answer


def test_egress_is_asked_too(lab: Lab) -> None:
    """VPC user guide, Security groups: without outbound rules no traffic leaves the instance."""
    lab.attach(SERVER, FUNCTION)
    lab.apply(replace(STATE, groups=(replace(FUNCTIONS, egress=()), SERVERS)))
    assert lab.call("function", SERVER.address) == "timed out"
    to_servers = (Permission("tcp", PORT, PORT, group_id="sg-server"),)
    lab.apply(replace(STATE, groups=(replace(FUNCTIONS, egress=to_servers), SERVERS)))
    assert lab.call("function", SERVER.address) == "answered"


def test_a_revoked_rule_takes_effect_at_once(lab: Lab) -> None:
    """EC2 API reference, RevokeSecurityGroupIngress: the change reaches instances quickly."""
    lab.attach(SERVER, FUNCTION)
    assert lab.call("function", SERVER.address) == "answered"
    lab.ingress()
    assert lab.call("function", SERVER.address) == "timed out"
    lab.ingress(*FROM_FUNCTIONS)
    assert lab.call("function", SERVER.address) == "answered"


def test_answers_need_no_rule(lab: Lab) -> None:
    """VPC user guide, Security groups: they are stateful, an answer may leave whatever egress says."""
    lab.attach(SERVER, FUNCTION)
    lab.apply(replace(STATE, groups=(FUNCTIONS, replace(SERVERS, egress=()))))
    assert lab.call("function", SERVER.address) == "answered"


def test_a_tracked_connection_outlives_its_rule(lab: Lab) -> None:
    """EC2 user guide, Security group connection tracking: existing flows are not interrupted."""
    (listener,) = lab.fabric.attach(SERVER, listen=[("0.0.0.0", PORT)])
    lab.stack.callback(lab.fabric.detach, "server")
    lab.attach(FUNCTION)
    with listener, lab.fabric.connect("function", SERVER.address, PORT, timeout=2) as caller:
        served, (address, _) = listener.accept()
        with served:
            lab.ingress()
            served.sendall(b"still here")
            assert caller.recv(100) == b"still here"
            # Where the connection came by proxy, a listener of this machine's own can't see from where.
        assert address == (FUNCTION.address if host_has_namespaces() else "127.0.0.1")


def test_without_an_internet_gateway_the_outside_times_out(lab: Lab) -> None:
    """VPC user guide, Internet gateways: without one attached nothing leaves the VPC."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), INTERNET)
    assert lab.call("server", INTERNET.address) == "answered"
    lab.apply(replace(STATE, vpcs=(replace(VPC, internet_gateway=""),)))
    assert lab.call("server", INTERNET.address) == "timed out"
    assert lab.call("internet", PUBLIC) == "timed out"


@pytest.mark.parametrize("target", ["blackhole", "igw-detached", "nat-1"])
def test_a_route_that_leads_nowhere_times_out(lab: Lab, target: str) -> None:
    """VPC user guide, Route tables: traffic to a target that is gone (blackhole) is dropped."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), INTERNET)
    lab.apply(replace(STATE, subnets=(replace(SUBNET, routes=(RouteRecord(ANYWHERE, target),)),)))
    assert lab.call("server", INTERNET.address) == "timed out"


def test_without_a_route_to_the_gateway_the_outside_times_out(lab: Lab) -> None:
    """VPC user guide, Route tables: an attached gateway serves the subnets that have a route to it."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), FUNCTION, INTERNET)
    lab.ingress(*EVERYTHING)
    lab.apply(replace(lab.state, subnets=(replace(SUBNET, routes=()),)))
    assert lab.call("server", INTERNET.address) == "timed out"
    assert lab.call("internet", PUBLIC) == "timed out"  # the answer finds no way back
    assert lab.call("function", SERVER.address) == "answered"


def test_the_most_specific_route_wins(lab: Lab) -> None:
    """VPC user guide, Route priority: the longest prefix that matches decides."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), INTERNET)
    narrow = RouteRecord(f"{INTERNET.address}/32", "blackhole")
    lab.apply(replace(STATE, subnets=(replace(SUBNET, routes=(*SUBNET.routes, narrow)),)))
    assert lab.call("server", INTERNET.address) == "timed out"
    wide = (RouteRecord(ANYWHERE, "blackhole"), RouteRecord("203.0.113.0/24", "igw-1"))
    lab.apply(replace(STATE, subnets=(replace(SUBNET, routes=wide),)))
    assert lab.call("server", INTERNET.address) == "answered"


def test_without_a_public_address_the_outside_times_out(lab: Lab) -> None:
    """VPC user guide, Internet gateways: the instance needs a public address to be translated to."""
    lab.attach(SERVER, INTERNET)
    assert lab.call("server", INTERNET.address) == "timed out"
    lab.fabric.update_interface(replace(SERVER, public_ip=PUBLIC))
    assert lab.call("server", INTERNET.address) == "answered"


def test_a_function_in_a_vpc_has_no_internet(lab: Lab) -> None:
    """Lambda developer guide, Internet access for VPC functions: a public subnet gives none, NAT does."""
    lab.attach(FUNCTION, INTERNET)
    assert lab.call("function", INTERNET.address) == "timed out"


def test_the_outside_sees_the_public_address(lab: Lab) -> None:
    """VPC user guide, Internet gateways: one-to-one translation between private and public address."""
    (listener,) = lab.fabric.attach(INTERNET, listen=[("0.0.0.0", PORT)])
    lab.stack.callback(lab.fabric.detach, "internet")
    lab.attach(replace(SERVER, public_ip=PUBLIC))
    with listener, lab.fabric.connect("server", INTERNET.address, PORT, timeout=2):
        accepted, (address, _) = listener.accept()
        accepted.close()
    assert address == (PUBLIC if host_has_namespaces() else "127.0.0.1")


def test_a_public_address_reaches_the_listener_only_where_the_group_allows_the_outside(lab: Lab) -> None:
    """VPC user guide, Security group rules: traffic through the gateway is matched by its public source."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), INTERNET)
    assert lab.call("internet", PUBLIC) == "timed out"
    lab.ingress(Permission("tcp", PORT, CLOSED_PORT, "203.0.113.0/24"))
    assert lab.call("internet", PUBLIC) == "answered"
    assert lab.call("internet", PUBLIC, CLOSED_PORT) == "refused"
    lab.ingress(Permission("tcp", PORT, CLOSED_PORT, "192.0.2.0/24"))
    assert lab.call("internet", PUBLIC) == "timed out"


def test_a_group_as_source_does_not_match_a_neighbours_public_address(lab: Lab) -> None:
    """VPC user guide, Security group rules: with a group as source, private addresses are matched."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), replace(FUNCTION, public_ip="54.10.0.2"))
    assert lab.call("function", SERVER.address) == "answered"
    assert lab.call("function", PUBLIC) == "timed out"
    lab.ingress(Permission("tcp", PORT, PORT, "54.10.0.2/32"))
    assert lab.call("function", PUBLIC) == "answered"


def test_two_vpcs_with_the_same_cidr_do_not_see_each_other(lab: Lab) -> None:
    """VPC user guide, VPC basics: a VPC is isolated from every other, and CIDR blocks may overlap."""
    mirror = NetworkState(
        (replace(VPC, vpc_id="vpc-2", internet_gateway=""),),
        (replace(SUBNET, subnet_id="subnet-2", vpc_id="vpc-2"),),
        (GroupRecord("sg-2", "all", "vpc-2", EVERYTHING, EVERYTHING),),
    )
    both = NetworkState(
        STATE.vpcs + mirror.vpcs, STATE.subnets + mirror.subnets, STATE.groups + mirror.groups
    )
    lab.apply(both)
    twin = InterfaceRecord("twin", "vpc-2", "subnet-2", FUNCTION.address, "", ("sg-2",))
    lab.attach(SERVER, FUNCTION, twin, replace(twin, name="beside", address="10.0.1.50"))
    lab.ingress(*EVERYTHING)
    lab.apply(replace(both, groups=(*lab.state.groups, *mirror.groups)))
    assert lab.call("twin", SERVER.address) == "timed out"
    assert lab.call("twin", "10.0.1.50") == "answered"
    assert lab.call("function", "10.0.1.50") == "timed out"
    assert lab.call("function", SERVER.address) == "answered"


def test_a_function_outside_the_vpc_reaches_the_internet_and_no_private_address(lab: Lab) -> None:
    """Lambda developer guide, Connecting to a VPC: by default a function can't reach private resources."""
    lab.attach(replace(SERVER, public_ip=PUBLIC), INTERNET, OUTSIDE)
    lab.ingress(*EVERYTHING)
    assert lab.call("outside", SERVER.address) == "timed out"
    assert lab.call("outside", INTERNET.address) == "answered"
    assert lab.call("outside", PUBLIC) == "answered"


def test_functions_accept_no_connection_from_outside(lab: Lab) -> None:
    """Lambda developer guide, Networking: inbound connections to a function are blocked."""
    lab.attach(OUTSIDE, INTERNET)
    assert lab.call("internet", lab.fabric.address_of("outside")) == "timed out"


def test_addresses_that_nobody_has_time_out(lab: Lab) -> None:
    """VPC user guide, Subnet CIDR blocks: AWS's own addresses and unused ones give no answer."""
    lab.attach(replace(SERVER, public_ip=PUBLIC))
    for nobody in ("10.0.1.1", "10.0.1.99", "10.0.2.4", "172.16.0.1"):
        assert lab.call("server", nobody) == "timed out", nobody


def test_interfaces_come_and_go_from_many_threads(lab: Lab) -> None:
    """Lambda developer guide, Scaling: many environments of a function start at the same time."""
    lab.attach(SERVER)
    answers: list[str] = []

    def live(number: int) -> None:
        function = replace(FUNCTION, name=f"f{number}", address="")
        lab.fabric.attach(function)
        answers.append(lab._connect(function.name, SERVER.address, PORT))
        lab.fabric.detach(function.name)

    _together([lambda n=n: live(n) for n in range(12)])  # type: ignore[misc]
    assert answers == ["answered"] * 12


def _together(actions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
