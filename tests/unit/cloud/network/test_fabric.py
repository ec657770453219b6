"""The fabric applies differences, and only those; a recorder stands for the routers."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

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
from labkit.base.errors import CloudError, SandboxError
from labkit.cloud.network.fabric import Fabric

SUBNET = SubnetRecord("subnet-1", "vpc-1", "10.0.1.0/28", "a", (RouteRecord("0.0.0.0/0", "igw-1"),))
GROUP = GroupRecord("sg-1", "web", "vpc-1", (Permission("tcp", 80, 80, "0.0.0.0/0"),), ())
STATE = NetworkState((VpcRecord("vpc-1", "10.0.0.0/16", "igw-1"),), (SUBNET,), (GROUP,))
SERVER = InterfaceRecord("i-1", "vpc-1", "subnet-1", "10.0.1.4", "", ("sg-1",))
FUNCTION = InterfaceRecord("function", "vpc-1", "subnet-1", "", "", ("sg-1",))


class Recorder:
    """Answers every call, remembers it, and can be told to refuse an operation."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refused = ""
        self.made: list[socket.socket] = []

    def __call__(self, operation: str, /, **arguments: object) -> list[socket.socket]:
        if operation == self.refused:
            raise SandboxError(f"{operation} refused")
        assert json.loads(json.dumps(arguments)) == arguments, "arguments are plain JSON"
        self.calls.append((operation, dict(arguments)))
        listen = arguments.get("listen", [0] if operation == "socket" else [])
        assert isinstance(listen, list)
        made = [socket.socket() for _ in listen]
        self.made += made
        return made

    def new(self) -> list[str]:
        """The operations since the last time."""
        names = [operation for operation, _ in self.calls]
        self.calls.clear()
        return names


@pytest.fixture
def calls() -> Recorder:
    return Recorder()


@pytest.fixture
def fabric(calls: Recorder) -> Fabric:
    made = Fabric(calls)
    made.update(STATE)
    assert calls.new() == ["set_rules", "open_router", "set_rules"]
    return made


def test_the_same_state_again_changes_nothing(fabric: Fabric, calls: Recorder) -> None:
    fabric.update(STATE)
    assert calls.new() == []


def test_a_changed_rule_replaces_the_rules(fabric: Fabric, calls: Recorder) -> None:
    fabric.update(replace(STATE, groups=(replace(GROUP, ingress=()),)))
    assert calls.new() == ["set_rules"]


def test_an_interface_changes_members_and_no_rules(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(SERVER)
    assert calls.calls[-1][1]["changes"] == {"sg-1": {"add": ["10.0.1.4"], "remove": []}}
    assert calls.new() == ["attach", "set_carrier", "set_members"]
    fabric.detach("i-1")
    assert calls.calls[-1][1]["changes"] == {"sg-1": {"add": [], "remove": ["10.0.1.4"]}}
    assert calls.new() == ["detach", "set_carrier", "set_members"]


def test_where_an_interface_stands_follows_from_its_subnet(fabric: Fabric, calls: Recorder) -> None:
    listeners = fabric.attach(SERVER, loopback=["169.254.169.254"], listen=[("169.254.169.254", 80)])
    assert listeners == calls.made
    for listener in listeners:
        listener.close()
    assert calls.calls[0][1] == {
        "name": "i-1",
        "router": "vpc-1",
        "address": "10.0.1.4",
        "prefix_length": 28,
        "gateway": "10.0.1.1",
        "loopback": ["169.254.169.254"],
        "listen": [["169.254.169.254", 80]],
        "datagrams": [],
        "networks": [],
    }


def test_free_addresses_come_from_the_top_and_run_out(fabric: Fabric) -> None:
    names = [f"f{n}" for n in range(11)]  # 16 less the first four and the last
    for name in names:
        fabric.attach(replace(FUNCTION, name=name))
    assert [fabric.address_of(name) for name in names] == [f"10.0.1.{n}" for n in range(14, 3, -1)]
    with pytest.raises(CloudError, match="no free address"):
        fabric.attach(FUNCTION)
    fabric.detach("f3")
    fabric.attach(FUNCTION)
    assert fabric.address_of("function") == "10.0.1.11"


def test_outside_hosts_bring_an_address_or_get_one(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(InterfaceRecord("internet", "", "", IMAGE_HOST_ADDRESS, "", ()))
    fabric.attach(InterfaceRecord("function", "", "", "", "", ()))
    first, second = (arguments for _, arguments in calls.calls)
    assert (first["router"], first["address"], first["gateway"]) == (
        "internet",
        "203.0.113.10",
        "203.0.113.1",
    )
    assert (second["router"], second["gateway"]) == ("internet", "198.51.100.1")
    assert fabric.address_of("function") == "198.51.100.254"
    assert calls.new() == ["attach", "attach"]


def test_a_public_address_comes_and_goes_with_its_interface(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(replace(SERVER, public_ip="54.0.0.1"))
    assert calls.calls[-2][1] == {"router": "vpc-1", "private": "10.0.1.4", "public": "54.0.0.1"}
    assert calls.new() == ["attach", "set_carrier", "set_public", "set_members"]
    fabric.detach("i-1")
    assert calls.new() == ["detach", "set_public", "set_carrier", "set_members"]


def test_a_changed_interface_gets_its_new_groups_and_public_address(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(replace(SERVER, public_ip="54.0.0.1"))
    calls.new()
    fabric.update_interface(replace(SERVER, public_ip="54.0.0.2", security_group_ids=()))
    publics = [arguments["public"] for operation, arguments in calls.calls if operation == "set_public"]
    assert publics == [None, "54.0.0.2"]
    assert calls.new() == ["set_public", "set_public", "set_members"]
    assert fabric.address_of("i-1") == "10.0.1.4"


def test_a_public_address_that_moves_leaves_its_old_interface(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(replace(SERVER, public_ip="54.0.0.1"))
    fabric.attach(replace(SERVER, name="i-2", address="10.0.1.5", public_ip="54.0.0.1"))
    changes = [(a["private"], a["public"]) for operation, a in calls.calls if operation == "set_public"]
    assert changes == [("10.0.1.4", "54.0.0.1"), ("10.0.1.4", None), ("10.0.1.5", "54.0.0.1")]


def test_a_vpc_that_is_gone_closes_when_its_last_interface_leaves(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(SERVER)
    calls.new()
    fabric.update(NetworkState())
    assert calls.new() == ["set_rules"]  # it passes nothing from now on
    fabric.detach("i-1")
    assert calls.new() == ["detach", "set_carrier", "close_router"]


@pytest.mark.parametrize(
    ("interface", "words"),
    [
        (replace(SERVER, name="i-2", subnet_id="subnet-9"), "subnet-9 in vpc-1 does not exist"),
        (replace(SERVER, name="i-2"), r"10\.0\.1\.4 is in use by i-1"),
        (replace(SERVER, address="10.0.1.9"), "i-1 is attached already"),
    ],
)
def test_what_can_not_be_attached_says_why(fabric: Fabric, interface: InterfaceRecord, words: str) -> None:
    fabric.attach(SERVER)
    with pytest.raises(CloudError, match=words):
        fabric.attach(interface)


def test_unknown_interfaces(fabric: Fabric, calls: Recorder) -> None:
    fabric.detach("nobody")
    with pytest.raises(CloudError, match="nobody has no network interface"):
        fabric.address_of("nobody")
    with pytest.raises(CloudError):
        fabric.update_interface(replace(SERVER, name="nobody"))
    with pytest.raises(CloudError):
        fabric.connect("nobody", "10.0.1.4", 80, timeout=1)
    assert calls.new() == []


def test_an_attach_that_fails_half_way_leaves_nothing(fabric: Fabric, calls: Recorder) -> None:
    calls.refused = "set_public"
    with pytest.raises(SandboxError):
        fabric.attach(replace(SERVER, public_ip="54.0.0.1"), listen=[("0.0.0.0", 80)])
    assert [made.fileno() for made in calls.made] == [-1]
    calls.refused = ""
    assert "detach" in calls.new()
    fabric.attach(SERVER)


def test_rules_that_could_not_be_set_are_tried_again(fabric: Fabric, calls: Recorder) -> None:
    two = replace(STATE, vpcs=(*STATE.vpcs, VpcRecord("vpc-2", "10.0.0.0/16")))
    calls.refused = "set_rules"
    fabric.update(two)
    assert list(fabric.troubles) == ["vpc-2"]
    calls.refused = ""
    fabric.update(two)
    assert calls.new() == ["open_router", "set_rules"]
    assert fabric.troubles == {}


def test_a_vpc_that_can_not_be_made_is_named_and_no_other_is_touched(fabric: Fabric, calls: Recorder) -> None:
    subnets = (*STATE.subnets, SubnetRecord("subnet-0", "vpc-0", "10.0.0.0/28", "a", ()))
    vpcs = (VpcRecord("vpc-0", "10.0.0.0/16"), *STATE.vpcs)
    calls.new()
    calls.refused = "open_router"  # only the new one needs one
    fabric.update(NetworkState(vpcs, subnets, (replace(GROUP, ingress=()),)))
    assert list(fabric.troubles) == ["vpc-0"]
    assert [arguments["router"] for name, arguments in calls.calls if name == "set_rules"] == ["vpc-1"]
    fabric.update(STATE)
    assert fabric.troubles == {}


def test_connect_gives_the_socket_that_was_made_inside(fabric: Fabric, calls: Recorder) -> None:
    fabric.attach(SERVER)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with fabric.connect("i-1", "127.0.0.1", port, timeout=2) as connection:
            assert connection is calls.made[-1]
            assert connection.gettimeout() == 2
    with pytest.raises(ConnectionRefusedError):
        fabric.connect("i-1", "127.0.0.1", port, timeout=2)
    assert calls.made[-1].fileno() == -1


def test_the_decision_is_about_what_is_attached_now(fabric: Fabric) -> None:
    fabric.attach(replace(SERVER, public_ip="54.0.0.1"))
    assert fabric.decide(Flow("192.0.2.7", "54.0.0.1", 80)).arrives
    fabric.update_interface(SERVER)
    assert "192.0.2.7" not in fabric.decide(Flow("192.0.2.7", "10.0.1.4", 80)).reason


def test_many_threads_get_different_addresses(fabric: Fabric) -> None:
    def attach(number: int) -> None:
        fabric.attach(replace(FUNCTION, name=f"f{number}"))

    _together([lambda n=n: attach(n) for n in range(11)])  # type: ignore[misc]
    assert len({fabric.address_of(f"f{n}") for n in range(11)}) == 11


def _together(actions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
