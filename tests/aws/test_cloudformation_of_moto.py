"""The faults of moto's CloudFormation for which the local cloud has its own; a failure here means: moto mended it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).parents[1] / "data" / "cloudformation" / "lab.yaml"

#: plain moto in a process of its own: what it makes of the lab's template
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

found = {}
with mock_aws():
    def client(name):
        return boto3.client(name, region_name="ap-south-1", aws_access_key_id="a", aws_secret_access_key="b")
    cfn, ec2, s3 = client("cloudformation"), client("ec2"), client("s3")
    body = open(sys.argv[1]).read().replace("!Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]", "10.7.1.0/24")
    try:
        cfn.create_stack(StackName="typo", TemplateBody=json.dumps(
            {"Resources": {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "X": 1}}}}))
        found["takes a misspelt property"] = True
    except ClientError:
        found["takes a misspelt property"] = False
    cfn.create_stack(StackName="lab", TemplateBody=body)
    found["no capability needed"] = True
    ids = {r.get("LogicalResourceId"): r.get("PhysicalResourceId")
           for r in cfn.describe_stack_resources(StackName="lab")["StackResources"]}
    events = [e["LogicalResourceId"] for e in cfn.describe_stack_events(StackName="lab")["StackEvents"]]
    found["no events of resources"] = set(events) == {"lab"}
    bucket = ids["Bucket"]
    found["no versioning"] = "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    try:
        s3.get_public_access_block(Bucket=bucket)
        found["no public access block"] = False
    except ClientError:
        found["no public access block"] = True
    tables = ec2.describe_route_tables(RouteTableIds=[ids["RouteTable"]])["RouteTables"]
    found["no route table association"] = tables[0]["Associations"] == []
    instance = ec2.describe_instances(InstanceIds=[ids["Server"]])["Reservations"][0]["Instances"][0]
    found["no security group"] = instance["SecurityGroups"] == []
    found["no metadata options"] = instance["MetadataOptions"]["HttpTokens"] != "required"
    try:
        cfn.delete_stack(StackName="lab")
        found["deletion fails"] = False
    except ClientError:
        found["deletion fails"] = True
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def faults() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(LAB)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


FAULTS = [
    "takes a misspelt property",
    "no capability needed",
    "no events of resources",
    "no versioning",
    "no public access block",
    "no route table association",
    "no security group",
    "no metadata options",
    "deletion fails",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_moto_still_has_the_fault(faults: dict[str, Any], fault: str) -> None:
    """Moto 5.2.5, cloudformation/parsing.py and the create_from_cloudformation_json of each model."""
    assert faults[fault]
