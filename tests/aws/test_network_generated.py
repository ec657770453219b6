"""Real packets in generated networks meet what the decision foretells."""

import contextlib
import os
import random
import select
import time
from collections.abc import Iterator, Sequence

import pytest

from labkit.aws.addresses import AWS, AWS_CIDR
from labkit.aws.network.decision import decide
from labkit.aws.network.model import Flow, Topology
from labkit.aws.records import InterfaceRecord, NetworkState
from labkit.cloud.network.fabric import Fabric
from labkit.sandbox.host import SandboxHost
from tests.unit.aws.network import worlds

SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))
_LOST = 0.4


@pytest.fixture(scope="module")
def host() -> Iterator[SandboxHost]:
    with SandboxHost.open() as host:
        yield host


DEFAULT, ALL = 20, 200


@pytest.mark.parametrize(
    "number", [n if n < DEFAULT else pytest.param(n, marks=pytest.mark.verify) for n in range(ALL)]
)
def test_packets_arrive_exactly_where_the_decision_says(host: SandboxHost, number: int) -> None:
    """VPC user guide, Route tables, Internet gateways and Security groups: all of it at once."""
    rng = random.Random(SEED + number)
    topology = worlds.make(rng)
    everywhere = {i.address for i in topology.interfaces} | {i.public_ip for i in topology.interfaces}
    everywhere.add(worlds.AWS_HOST)
    flows = worlds.flows(rng, topology)
    foretold = {f: decide(topology, f).arrives and f.destination in everywhere for f in flows}
    assert set(foretold.values()) == {True, False}
    with _built(Fabric(host.network), topology, worlds.PORTS):
        assert _arrivals(host, flows) == foretold


@contextlib.contextmanager
def _built(fabric: Fabric, topology: Topology, ports: Sequence[int]) -> Iterator[None]:
    """The network for real, every interface listening on every port."""
    with contextlib.ExitStack() as stack:
        stack.callback(fabric.update, NetworkState())
        fabric.update(topology.state)
        for interface in topology.interfaces:
            for listener in fabric.attach(
                interface, listen=[("0.0.0.0", port) for port in ports], networks=_networks(interface)
            ):
                stack.callback(listener.close)
            stack.callback(fabric.detach, interface.name)
        yield


def _networks(interface: InterfaceRecord) -> list[str]:
    """AWS's endpoints are one host with all their addresses."""
    return [AWS_CIDR] if interface.name == AWS else []


def _arrivals(host: SandboxHost, flows: Sequence[Flow]) -> dict[Flow, bool]:
    """Try all flows at the same time: which of them were answered."""
    with contextlib.ExitStack() as stack:
        callers: dict[int, Flow] = {}
        poll = select.poll()
        for flow in flows:
            (caller,) = host.network("socket", name=flow.source)
            stack.enter_context(caller)
            caller.setblocking(False)
            caller.connect_ex((flow.destination, flow.port))
            callers[caller.fileno()] = flow
            poll.register(caller, select.POLLOUT)
        return _answered(poll, callers)


def _answered(poll: "select.poll", callers: dict[int, Flow]) -> dict[Flow, bool]:
    found = dict.fromkeys(callers.values(), False)
    deadline = time.monotonic() + _LOST
    while (left := deadline - time.monotonic()) > 0:
        for descriptor, event in poll.poll(left * 1000):
            poll.unregister(descriptor)
            found[callers[descriptor]] = not event & (select.POLLERR | select.POLLHUP)
            deadline = time.monotonic() + _LOST
    return found
