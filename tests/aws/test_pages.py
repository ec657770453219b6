"""Lists in pages: a limit is kept to and a token leads on, in every protocol."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.test_every_operation import client_of


def test_pages_follow_one_another(live):
    """API references: MaxItems and Marker (Lambda, IAM), MaxResults and NextToken (EC2)."""
    source = "def lambda_handler(event, context): return 1\n"
    names = sorted(live.function(source) for _ in range(3))
    pages = [
        page["Functions"]
        for page in live.lambda_.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    ]
    assert {len(page) for page in pages} == {1}
    assert set(names) <= {each["FunctionName"] for page in pages for each in page}
    role = live.role().rpartition("/")[2]
    for number in range(3):
        live.iam.put_role_policy(
            RoleName=role,
            PolicyName=f"q{number}",
            PolicyDocument='{"Version": "2012-10-17", "Statement": []}'.replace(
                "[]", '[{"Effect": "Allow", "Action": "*", "Resource": "*"}]'
            ),
        )
    first = live.iam.list_role_policies(RoleName=role, MaxItems=2)
    assert (first["PolicyNames"], first["IsTruncated"]) == (["p", "q0"], True)
    rest = live.iam.list_role_policies(RoleName=role, MaxItems=2, Marker=first["Marker"])
    assert (rest["PolicyNames"], rest["IsTruncated"]) == (["q1", "q2"], False)
    vpc = live.vpc()
    for number in range(6):
        live.ec2.create_security_group(GroupName=f"g{number}", Description="g", VpcId=vpc.vpc)
    filters = [{"Name": "vpc-id", "Values": [vpc.vpc]}]
    one = live.ec2.describe_security_groups(Filters=filters, MaxResults=5)
    two = live.ec2.describe_security_groups(Filters=filters, MaxResults=5, NextToken=one["NextToken"])
    assert (len(one["SecurityGroups"]), len(two["SecurityGroups"]), "NextToken" in two) == (5, 3, False)


def test_a_token_that_nobody_gave_and_a_limit_that_can_not_be_are_refused(live, aids):
    """API references, "Common errors": invalid tokens; EC2's MaxResults is 5 at least."""
    assert aids.refused(live.lambda_.list_functions, Marker="x") == (
        "InvalidParameterValueException",
        "Invalid Marker.",
    )
    assert aids.refused(live.ec2.describe_vpcs, NextToken="x")[0] == "InvalidParameterValue"
    assert aids.refused(live.iam.list_roles, Marker="x") == ("ValidationError", "Invalid Marker.")
    code, words = aids.refused(client_of(live, "ec2").describe_vpcs, MaxResults=1)
    assert (code, "Expecting a value greater than or equal to 5" in words) == ("InvalidParameterValue", True)


def test_instance_types_come_a_hundred_at_a_time_and_are_the_regions(aws):
    """EC2 API reference, DescribeInstanceTypes: MaxResults up to 100; the types that the region offers."""
    first = aws.ec2.describe_instance_types()
    assert len(first["InstanceTypes"]) == 100
    second = aws.ec2.describe_instance_types(NextToken=first["NextToken"], MaxResults=5)["InstanceTypes"]
    seen = {each["InstanceType"] for each in first["InstanceTypes"]}
    assert len(second) == 5
    assert not seen & {each["InstanceType"] for each in second}
    offered = aws.ec2.get_paginator("describe_instance_type_offerings").paginate().build_full_result()
    assert seen <= {each["InstanceType"] for each in offered["InstanceTypeOfferings"]}
    for wrong in ({"MaxResults": 101}, {"NextToken": "none"}):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            aws.ec2.describe_instance_types(**wrong)
