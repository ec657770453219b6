"""SSM: AWS's public parameters name the newest Amazon Linux images of the region."""

import re

import pytest
from botocore.exceptions import ClientError

from labkit.aws.images import HERE


@pytest.mark.parametrize("region", ["ap-south-1", "us-east-1", "eu-central-1"])
@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("al2023-ami-kernel-default-x86_64", "al2023-ami-2023."),
        ("al2023-ami-kernel-6.1-x86_64", "al2023-ami-2023."),
        ("amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-hvm-2.0."),
    ],
)
def test_parameter_names_an_image_of_the_region(aws, region, name, begin):
    """Systems Manager user guide, "Calling AMI public parameters"."""
    path = f"/aws/service/ami-amazon-linux-latest/{name}"
    parameter = aws.client("ssm", region).get_parameter(Name=path)["Parameter"]
    (image,) = aws.client("ec2", region).describe_images(ImageIds=[parameter["Value"]])["Images"]
    assert image["Name"].startswith(begin)
    assert (image["ImageOwnerAlias"], image["RootDeviceName"]) == ("amazon", "/dev/xvda")


def test_other_images_are_refused_with_what_is_here(aws):
    """Systems Manager user guide, "Calling AMI public parameters": Canonical's and Windows'."""
    for path in (
        "canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        "ami-windows-latest/Windows_Server-2022-English-Full-Base",
    ):
        with pytest.raises(ClientError, match=re.escape(HERE)):
            aws.client("ssm", "eu-central-1").get_parameter(Name=f"/aws/service/{path}")


def test_image_is_found_by_owner_and_name(aws):
    """EC2 API reference, DescribeImages: as Terraform's data source asks."""
    images = aws.ec2.describe_images(
        Owners=["amazon"], Filters=[{"Name": "name", "Values": ["al2023-ami-2023.*-x86_64"]}]
    )["Images"]
    assert aws.image() in [image["ImageId"] for image in images]
