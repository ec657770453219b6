"""What is described runs; what is not, does not; trouble with one part leaves the others alone."""

import dataclasses
from collections.abc import Iterator

import pytest

from labkit.aws.records import FunctionRecord, InstanceRecord, NetworkState
from labkit.cloud.server.reconciler import Reconciler, Wanted

SERVER = InstanceRecord(
    instance_id="i-1", region="eu-west-1", account_id="1", state="running", image_id="ami", instance_type="t3.micro",
    availability_zone="eu-west-1a", vpc_id="vpc-1", subnet_id="subnet-1", private_ip="10.0.0.5", public_ip="",
    mac="02:00:00:00:00:01", security_group_ids=(), user_data=b"", profile_arn="", role_arn="", imds_tokens="required",
)  # fmt: skip


class World:
    """A control plane to describe in, and data plane parts that write down what they are told."""

    def __init__(self) -> None:
        self.instances: list[InstanceRecord] = []
        self.told: list[str] = []
        self.reports: list[str] = []
        self.broken = ""
        self.troubles: dict[str, str] = {}

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if what == self.broken:
            raise OSError("broken on purpose")

    def start(self, record: InstanceRecord) -> None:
        self._tell(f"start {record.instance_id}")

    def know(self, record: InstanceRecord) -> None:
        self._tell(f"know {record.instance_id}")

    def stop(self, instance_id: str) -> None:
        self._tell(f"stop {instance_id}")

    def terminate(self, instance_id: str) -> None:
        self._tell(f"terminate {instance_id}")

    def refresh(self, record: InstanceRecord) -> None:
        self._tell(f"refresh {record.instance_id} {record.public_ip}")

    def update(self, state: NetworkState) -> None:
        self._tell("network")

    def reconcile(self, functions: Iterator[FunctionRecord]) -> None:
        self._tell("functions")

    def acts(self) -> list[str]:
        """What was told about instances since the last look."""
        acts = [t for t in self.told if t not in ("network", "functions")]
        self.told.clear()
        return acts


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reconciler(world: World) -> Iterator[Reconciler]:
    wanted = Wanted(NetworkState, lambda: list(world.instances), list)
    made = Reconciler(wanted, world, world, world, world.reports.append)
    yield made
    made.close()


def settle(reconciler: Reconciler) -> None:
    reconciler.wake()
    assert reconciler.settle()


def test_a_stop_that_was_not_seen_happens_before_the_next_start(world: World, reconciler: Reconciler) -> None:
    """EC2 user guide, "Stop and start Amazon EC2 instances": what was started again has booted again."""
    world.instances = [SERVER]
    settle(reconciler)
    world.acts()
    world.instances = [dataclasses.replace(SERVER, starts=1)]
    settle(reconciler)
    assert world.acts() == ["stop i-1", "start i-1"]


def test_an_instance_lives_as_it_is_described(world: World, reconciler: Reconciler) -> None:
    history = []
    for record in (
        SERVER,
        SERVER,
        dataclasses.replace(SERVER, public_ip="54.0.0.1"),
        dataclasses.replace(SERVER, state="stopped"),
        SERVER,
        dataclasses.replace(SERVER, state="terminated"),
    ):
        world.instances = [record]
        settle(reconciler)
        history.append(world.acts())
    assert history == [
        ["start i-1"], [], ["refresh i-1 54.0.0.1"], ["stop i-1"], ["start i-1"], ["terminate i-1"],
    ]  # fmt: skip


def test_an_instance_that_is_no_longer_described_ends(world: World, reconciler: Reconciler) -> None:
    world.instances = [SERVER]
    settle(reconciler)
    world.instances = []
    settle(reconciler)
    assert world.acts() == ["start i-1", "terminate i-1"]


def test_one_that_never_ran_needs_no_ending(world: World, reconciler: Reconciler) -> None:
    world.instances = [dataclasses.replace(SERVER, state="terminated")]
    settle(reconciler)
    assert world.acts() == []


def test_trouble_is_reported_and_tried_again_with_the_next_change(
    world: World, reconciler: Reconciler
) -> None:
    world.broken = "start i-1"
    world.instances = [SERVER]
    settle(reconciler)
    assert "functions" in world.told
    assert "broken on purpose" in world.reports[0]
    world.broken = ""
    settle(reconciler)
    assert world.acts() == ["start i-1", "start i-1"]


def test_a_vpc_in_trouble_is_reported_once_by_its_name(world: World, reconciler: Reconciler) -> None:
    world.troubles = {"vpc-1": "no such port"}
    settle(reconciler)
    settle(reconciler)
    assert world.reports == ["network of vpc-1 is not as it is described: no such port"]
