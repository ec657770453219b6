"""What outlived its time to live is found by its tags, told, and deleted when that is ordered; nothing else is."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import UsageError
from labkit.base.events import ignore
from labkit.course.manifest import load
from labkit.deploy.removing import survivors, sweep
from labkit.deploy.removing.sweep import Lab
from labkit.deploy.targets import Clients
from labkit.lesson import sweeping
from labkit.lesson.compare import parity
from labkit.lesson.context import Context
from labkit.lesson.model import Places
from labkit.lesson.sweeping import Order, Swept

ROOT = Path(labkit.__file__).resolve().parent.parent
HOUR, DAY = 3600.0, 86400.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A whole lab, a network of another that lost everything else, and what belongs to nobody's lab."""
    with parity.deployed(
        Places(ROOT, tmp_path_factory.mktemp("lab")), load(ROOT), "cloudformation"
    ) as context:
        tagged_vpc(context.clients, "orphan", "hybrid-orphan")
        tagged_vpc(context.clients, "strange", "company")
        context.clients.client("s3").create_bucket(
            Bucket="hybrid-images-of-a-company",
            CreateBucketConfiguration={"LocationConstraint": "ap-south-1"},
        )
        yield context


def tagged_vpc(clients: Clients, variant: str, project: str) -> None:
    tags = {"lab:variant": variant, "lab:project": project, "lab:ttl": "24h"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    clients.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": listed}]
    )


@pytest.fixture
def swept(standing: Context) -> Callable[..., dict[str, Swept]]:
    """Sweeps, as if so many seconds later; what was seen, by variant."""

    def run(order: Order, later: float = 0) -> dict[str, Swept]:
        place = [standing.clients.target]
        seen = sweeping.run(place, order, ignore, clock=lambda: time.time() + later)
        return {each.lab.variant: each for each in seen}

    return run


REGIONS = ["ap-south-1"]


def test_labs_are_told_apart_and_what_is_no_lab_is_not_seen(standing: Context, swept: Callable) -> None:
    seen = swept(Order(REGIONS))
    code = standing.workspace.variant.code
    assert {variant: each.state for variant, each in seen.items()} == {code: "lives", "orphan": "unknown"}
    kinds = {thing.kind for thing in seen[code].lab.things}
    assert kinds >= {"stack", "instance", "VPC", "bucket", "table", "function", "log group", "role"}
    assert seen[code].lab.ttl == DAY


def test_dry_is_the_rule(standing: Context, swept: Callable) -> None:
    code = standing.workspace.variant.code
    seen = swept(Order(REGIONS), later=DAY + 60)
    assert (seen[code].state, seen[code].deleted) == ("outlived", False)
    assert swept(Order(REGIONS, limit=HOUR), later=HOUR + 60)[code].state == "outlived"
    assert standing.deployed().status == "complete"


def test_a_lab_of_another_region_is_not_taken_for_one_here(standing: Context) -> None:
    """Its roles and its bucket are seen from everywhere; they alone say nothing."""
    here = standing.clients.target
    elsewhere = replace(here, region="eu-west-1")
    (only,) = sweeping.run([elsewhere], Order(["eu-west-1"], limit=0, delete=True), ignore)
    assert (only.lab.regional, only.state, only.deleted) == (False, "unknown", False)
    assert standing.deployed().status == "complete"


def test_a_lab_that_stands_nowhere_is_said_so(swept: Callable) -> None:
    with pytest.raises(UsageError, match="No lab nobody stands in ap-south-1"):
        swept(Order(REGIONS, variant="nobody", delete=True))


def test_what_outlived_is_deleted_whole_and_nothing_else_is(standing: Context, swept: Callable) -> None:
    code = standing.workspace.variant.code
    seen = swept(Order(REGIONS, delete=True), later=DAY + 60)
    assert (seen[code].deleted, seen[code].left) == (True, ())
    assert not seen["orphan"].deleted, "nobody knows its age"
    assert set(swept(Order(REGIONS))) == {"orphan"}
    assert swept(Order(REGIONS, variant="orphan", delete=True))["orphan"].left == ()
    assert swept(Order(REGIONS)) == {}
    assert survivors.buckets_named(standing.clients, "hybrid-") == ["hybrid-images-of-a-company"]
    by_tag = [{"Name": "tag:lab:variant", "Values": ["strange"]}]
    assert standing.clients.client("ec2").describe_vpcs(Filters=by_tag)["Vpcs"]


def test_the_command_says_what_it_does(lab) -> None:
    assert "not running" in lab.run("sweep").output
    assert lab.run("cloud", "start").status == 0
    assert "No lab stands in ap-south-1" in lab.run("sweep", "--yes").output
    run = lab.run("sweep", "--older-than", "soon")
    assert (run.status, "--older-than 24h" in run.errors + run.output) == (2, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", DAY), ("90 min", 5400), ("2d", 2 * DAY), ("0s", 0), ("", None), ("1h30m", None), ("-1h", None)],
)
def test_times_to_live_are_read_as_people_write_them(text: str, seconds: float | None) -> None:
    assert sweep.seconds(text) == seconds


@pytest.mark.parametrize(
    ("lab", "state"),
    [
        (Lab("v", "p", HOUR, 0, True), "outlived"),
        (Lab("v", "p", 2 * HOUR, 0, True), "lives"),
        (Lab("v", "p", None, 0, True), "unknown"),
        (Lab("v", "p", HOUR, None, True), "unknown"),
        (Lab("v", "p", HOUR, 0, False), "unknown"),
    ],
)
def test_only_what_is_known_to_be_over_is_over(lab: Lab, state: str) -> None:
    assert lab.state(HOUR) == state
