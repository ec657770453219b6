"""A cloud at AWS's pace, much quicker: what is there late, and what goes late."""

import pytest

GROUP_IN_USE = "DependencyViolation"


@pytest.fixture(scope="module")
def late(aids, tmp_path_factory):
    with aids.open_live(tmp_path_factory.mktemp("late"), pace="1:300") as found:
        yield found


def test_a_functions_interface_outlives_it_and_holds_its_group(late, aids) -> None:
    """Lambda developer guide, "Understanding Hyperplane elastic network interfaces (ENIs)"."""
    vpc, role = late.vpc(), late.role()
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    source = "def lambda_handler(event, context):\n    return 1\n"

    def create() -> bool:
        try:
            late.function(source, FunctionName="f", Role=role, VpcConfig=settings)
        except late.lambda_.exceptions.InvalidParameterValueException:
            return False  # the role can't be assumed yet
        return True

    assert aids.eventually(create)
    mine = {"Filters": [{"Name": "group-id", "Values": [vpc.group]}]}
    (held,) = late.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"]
    assert (held["InterfaceType"], held["Status"], held["RequesterManaged"]) == ("lambda", "in-use", True)
    assert held["Attachment"]["InstanceOwnerId"] == "amazon-aws"
    assert held["Description"].startswith("AWS Lambda VPC ENI-f-")
    late.lambda_.delete_function(FunctionName="f")
    assert aids.refused(late.ec2.delete_security_group, GroupId=vpc.group)[0] == GROUP_IN_USE
    identifier = held["NetworkInterfaceId"]
    refused = aids.refused(late.ec2.delete_network_interface, NetworkInterfaceId=identifier)
    assert refused == ("InvalidParameterValue", f"Network interface '{identifier}' is currently in use.")
    aids.eventually(lambda: not late.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"])
    late.ec2.delete_security_group(GroupId=vpc.group)


def test_what_was_late_is_counted(late) -> None:
    found = late.local.ask("GET", "status")["late"]
    assert found["interface lingers"] == 1
    assert found["function pending"] > 0


def test_an_instance_that_is_ended_before_it_boots_never_does(late) -> None:
    image = late.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    vpc = late.vpc()
    one = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": vpc.public}
    made = late.ec2.run_instances(InstanceType="t3.micro", **one)["Instances"][0]["InstanceId"]
    late.ec2.terminate_instances(InstanceIds=[made])
    assert late.local.ask("GET", f"instances/{made}")["state"] in ("pending", "stopped")


def test_a_functions_interface_goes_with_it_where_nothing_is_late(live) -> None:
    """Lambda developer guide, "Understanding Hyperplane elastic network interfaces (ENIs)"."""
    vpc = live.vpc()
    name = live.function(
        "def lambda_handler(event, context):\n    return 1\n",
        VpcConfig={"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]},
    )
    mine = {"Filters": [{"Name": "group-id", "Values": [vpc.group]}]}
    (held,) = live.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"]
    assert (held["InterfaceType"], held["Status"], held["SubnetId"]) == ("lambda", "in-use", vpc.private)
    live.lambda_.delete_function(FunctionName=name)
    assert not live.ec2.describe_network_interfaces(**mine)["NetworkInterfaces"]
    live.ec2.delete_security_group(GroupId=vpc.group)
