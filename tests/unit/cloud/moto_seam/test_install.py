"""Installing the corrections, warming up, and what the corrections cost or save."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

WARM = """
import json, sys
from labkit.cloud.moto_seam.install import Hooks, install, warm
install(Hooks(invoke=None, console_output=None, instance_status=None))
took = warm("ap-south-1")
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS as offered
read = sum(len(regions) for regions in offered.values())
found = [offer for offer in offered["region"]["ap-south-1"] if offer["InstanceType"] == "t3.micro"]
print(json.dumps({"services": sorted(took), "read": read, "found": found}))
"""


@pytest.mark.processes
def test_warm_imports_the_lab_services_without_needless_data():
    """In a process of its own: this one has imported everything already."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WARM], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["services"] == sorted(["iam", "sts", "logs", "ec2", "ssm", "lambda", "cloudformation"])
    assert told["read"] == 0  # no zone's instance types before somebody asks
    assert told["found"] == [{"InstanceType": "t3.micro", "Location": "ap-south-1", "LocationType": "region"}]


def test_offerings_are_those_of_the_region(aws):
    """EC2 API reference, DescribeInstanceTypeOfferings."""
    wanted = [{"Name": "instance-type", "Values": ["t3.micro"]}]
    (offer,) = aws.ec2.describe_instance_type_offerings(Filters=wanted)["InstanceTypeOfferings"]
    assert offer["Location"] == "ap-south-1"
    zones = aws.ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=wanted)
    assert {offer["Location"][:-1] for offer in zones["InstanceTypeOfferings"]} == {"ap-south-1"}


def test_undo_gives_plain_moto_back(moto):
    from moto.awslambda.models import LambdaFunction
    from moto.core.responses import BaseResponse
    from moto.logs.models import LogsBackend

    owners = (LambdaFunction, LogsBackend, BaseResponse)
    before = [dict(vars(owner)) for owner in owners]
    with moto.corrected():
        assert [dict(vars(owner)) for owner in owners] != before
    assert [dict(vars(owner)) for owner in owners] == before


def test_request_ids_differ(aws):
    """AWS SDKs guide, "Request IDs"."""
    ids = {aws.sts.get_caller_identity()["ResponseMetadata"]["RequestId"] for _ in range(5)}
    assert len(ids) == 5


def test_every_region_of_aws_is_there(aws):
    """EC2 API reference, DescribeAvailabilityZones; the table of regions is boto3's."""
    for region in ("ap-south-1", "us-east-1", "eu-north-1", "sa-east-1"):
        zones = aws.client("ec2", region).describe_availability_zones()["AvailabilityZones"]
        assert {zone["RegionName"] for zone in zones} == {region}
