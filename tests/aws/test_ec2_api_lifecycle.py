"""EC2: states, addresses, and what goes away with an instance. Each test shows plain moto's fault first."""

import base64
import ipaddress

import pytest


def states(answer):
    return [(change["PreviousState"]["Name"], change["CurrentState"]["Name"]) for change in answer]


def test_states_are_passed_in_order(aws):
    """EC2 user guide, "Amazon EC2 instance state changes"."""
    created = aws.run()
    instance = created["InstanceId"]
    assert created["State"] == {"Code": 0, "Name": "pending"}
    assert aws.instance(instance)["State"]["Name"] == "running"
    stopped = aws.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    assert states(stopped) == [("running", "stopping")]
    assert aws.instance(instance)["State"]["Name"] == "stopped"
    started = aws.ec2.start_instances(InstanceIds=[instance])["StartingInstances"]
    assert states(started) == [("stopped", "pending")]
    ended = aws.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert states(ended) == [("running", "shutting-down")]
    assert aws.instance(instance)["State"]["Name"] == "terminated"


def test_a_terminated_instance_cannot_start(moto, refusal):
    """EC2 API reference, error codes: IncorrectInstanceState."""

    def scenario(aws):
        instance = aws.run()["InstanceId"]
        aws.ec2.terminate_instances(InstanceIds=[instance])
        return refusal(aws.ec2.start_instances, InstanceIds=[instance]).split(":")[0]

    assert moto.compare(scenario) == ("", "IncorrectInstanceState")


def test_interface_goes_with_its_instance(moto):
    """EC2 user guide, "Elastic network interfaces": the primary one is deleted on termination."""

    def scenario(aws):
        _, subnet = aws.network()
        instance = aws.run(SubnetId=subnet)["InstanceId"]
        aws.ec2.terminate_instances(InstanceIds=[instance])
        return len(aws.ec2.describe_network_interfaces()["NetworkInterfaces"])

    assert moto.compare(scenario) == (1, 0)


def test_a_named_interface_outlives_its_instance(aws):
    """EC2 user guide, "Elastic network interfaces": one that was attached stays."""
    _, subnet = aws.network()
    interface = aws.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    instance = aws.run(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}])["InstanceId"]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    (left,) = aws.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert (left["NetworkInterfaceId"], left["Status"]) == (interface, "available")


@pytest.mark.parametrize(
    "mapping", [{}, {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9}}]}]
)
def test_root_volume_goes_with_its_instance(moto, mapping):
    """EC2 user guide, "Preserve data when an instance is terminated": the root volume's default."""

    def scenario(aws):
        instance = aws.run(**mapping)["InstanceId"]
        described = aws.instance(instance)
        devices = [device["DeviceName"] for device in described["BlockDeviceMappings"]]
        aws.ec2.terminate_instances(InstanceIds=[instance])
        return devices == [described["RootDeviceName"]], len(aws.ec2.describe_volumes()["Volumes"])

    fault, right = moto.compare(scenario)
    assert fault == ((True, 1) if mapping else (False, 0))
    assert right == (True, 0)


def test_a_terminated_instance_shows_no_network(moto):
    """EC2 user guide, "Terminate Amazon EC2 instances": it stays visible for a while, without resources."""

    def scenario(aws):
        instance = aws.run()["InstanceId"]
        aws.ec2.terminate_instances(InstanceIds=[instance])
        described = aws.instance(instance)
        return sorted({"SubnetId", "VpcId", "PrivateIpAddress"} & described.keys())

    assert moto.compare(scenario) == (["PrivateIpAddress", "SubnetId", "VpcId"], [])


def test_terminating_twice_is_no_error(moto, refusal):
    """EC2 API reference, TerminateInstances: idempotent."""

    def scenario(aws):
        _, subnet = aws.network()
        spec = [{"DeviceIndex": 0, "SubnetId": subnet, "DeleteOnTermination": True}]
        instance = aws.run(NetworkInterfaces=spec)["InstanceId"]
        aws.ec2.terminate_instances(InstanceIds=[instance])
        return refusal(aws.ec2.terminate_instances, InstanceIds=[instance]).split(":")[0]

    assert moto.compare(scenario) == ("InvalidNetworkInterfaceID.NotFound", "")


def test_private_addresses_are_of_the_subnet_and_never_reserved(aws):
    """VPC user guide, "Subnet CIDR blocks": the first four addresses and the last are AWS's."""
    vpc, _ = aws.network()
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.2.0/28")["Subnet"]["SubnetId"]
    run = aws.ec2.run_instances(
        ImageId=aws.image(), InstanceType="t3.micro", MinCount=11, MaxCount=11, SubnetId=subnet
    )
    addresses = sorted(ipaddress.IPv4Address(i["PrivateIpAddress"]) for i in run["Instances"])
    assert addresses == [ipaddress.IPv4Address("10.7.2.4") + offset for offset in range(11)]


def test_full_subnet_is_said_so(moto, refusal):
    """EC2 API reference, error codes: InsufficientFreeAddressesInSubnet."""

    def scenario(aws):
        vpc, _ = aws.network()
        subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.2.0/28")["Subnet"]["SubnetId"]
        refused = refusal(aws.run, SubnetId=subnet, MinCount=12, MaxCount=12).split(":")[0]
        return refused, len(aws.ec2.describe_instances()["Reservations"])

    assert moto.compare(scenario) == (("500", 1), ("InsufficientFreeAddressesInSubnet", 0))


def test_addresses_do_not_clash_with_other_interfaces(moto):
    """VPC user guide, "IP addressing": a private address belongs to one interface."""

    def scenario(aws):
        _, subnet = aws.network()
        aws.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.7.1.4")
        return aws.run(SubnetId=subnet)["PrivateIpAddress"]

    assert moto.compare(scenario) == ("10.7.1.4", "10.7.1.5")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.9.1.9", "InvalidParameterValue"),
        ("10.7.1.1", "InvalidParameterValue"),
        ("10.7.1.255", "InvalidParameterValue"),
        ("10.7.1.9", "InvalidIPAddress.InUse"),
    ],
)
def test_wrong_private_addresses_are_refused(aws, refusal, address, code):
    """EC2 API reference, RunInstances: PrivateIpAddress."""
    _, subnet = aws.network()
    aws.run(SubnetId=subnet, PrivateIpAddress="10.7.1.9")
    assert refusal(aws.run, SubnetId=subnet, PrivateIpAddress=address).startswith(f"{code}:")


def test_freed_address_is_given_again(aws):
    """VPC user guide, "IP addressing": an address is released with its interface."""
    _, subnet = aws.network()
    first = aws.run(SubnetId=subnet)
    second = aws.run(SubnetId=subnet)
    aws.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    third = aws.run(SubnetId=subnet)
    assert third["PrivateIpAddress"] == first["PrivateIpAddress"] != second["PrivateIpAddress"]


def test_public_address_where_the_subnet_or_the_caller_says(aws):
    """EC2 user guide, "Public IPv4 addresses"."""
    _, subnet = aws.network()
    assert "PublicIpAddress" not in aws.instance(aws.run(SubnetId=subnet)["InstanceId"])
    spec = [{"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True}]
    assert "PublicIpAddress" in aws.instance(aws.run(NetworkInterfaces=spec)["InstanceId"])
    aws.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert "PublicIpAddress" in aws.instance(aws.run(SubnetId=subnet)["InstanceId"])
    spec[0]["AssociatePublicIpAddress"] = False
    assert "PublicIpAddress" not in aws.instance(aws.run(NetworkInterfaces=spec)["InstanceId"])


def test_stop_and_start_change_the_public_address_only(aws):
    """EC2 user guide, "Public IPv4 addresses": released on stop, a new one on start."""
    before = aws.instance(aws.run()["InstanceId"])
    names = {"InstanceIds": [before["InstanceId"]]}
    aws.ec2.stop_instances(**names)
    stopped = aws.instance(before["InstanceId"])
    aws.ec2.start_instances(**names)
    after = aws.instance(before["InstanceId"])
    assert "PublicIpAddress" not in stopped
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert after["PrivateIpAddress"] == stopped["PrivateIpAddress"] == before["PrivateIpAddress"]


def test_starting_a_running_instance_keeps_its_public_address(moto):
    """EC2 API reference, StartInstances: no effect on a running instance."""

    def scenario(aws):
        before = aws.instance(aws.run()["InstanceId"])
        aws.ec2.start_instances(InstanceIds=[before["InstanceId"]])
        return aws.instance(before["InstanceId"])["PublicIpAddress"] == before["PublicIpAddress"]

    assert moto.compare(scenario) == (False, True)


def test_elastic_address_stays_over_stop_and_start(moto):
    """EC2 user guide, "Elastic IP addresses"; and it is no address of this machine."""

    def scenario(aws):
        instance = aws.run()["InstanceId"]
        elastic = aws.ec2.allocate_address(Domain="vpc")
        aws.ec2.associate_address(InstanceId=instance, AllocationId=elastic["AllocationId"])
        aws.ec2.stop_instances(InstanceIds=[instance])
        aws.ec2.start_instances(InstanceIds=[instance])
        stays = aws.instance(instance)["PublicIpAddress"] == elastic["PublicIp"]
        return stays, ipaddress.ip_address(elastic["PublicIp"]).is_loopback

    assert moto.compare(scenario) == ((False, True), (True, False))


def test_new_groups_replace_the_old_ones(moto):
    """EC2 user guide, "Change the security groups for your instance"."""

    def scenario(aws):
        vpc, subnet = aws.network()
        old, new = (
            aws.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
            for name in ("old", "new")
        )
        instance = aws.run(SubnetId=subnet, SecurityGroupIds=[old])["InstanceId"]
        aws.ec2.modify_instance_attribute(InstanceId=instance, Groups=[new])
        (interface,) = aws.instance(instance)["NetworkInterfaces"]
        return sorted(group["GroupName"] for group in interface["Groups"])

    assert moto.compare(scenario) == (["new", "old"], ["new"])


def test_groups_of_the_interface_are_the_instances(moto):
    """EC2 API reference, ModifyNetworkInterfaceAttribute."""

    def scenario(aws):
        vpc, subnet = aws.network()
        instance = aws.run(SubnetId=subnet)["InstanceId"]
        group = aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        interface = aws.instance(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group])
        return [group["GroupName"] for group in aws.instance(instance)["SecurityGroups"]]

    assert moto.compare(scenario) == ([], ["g"])


def test_console_output_is_the_boot_log(moto):
    """EC2 API reference, GetConsoleOutput: base64, the last 64 KB."""

    def scenario(aws):
        aws.calls.console = b"x" * 70_000 + b"cloud-init finished \xff\n"
        output = aws.ec2.get_console_output(InstanceId=aws.run()["InstanceId"])["Output"]
        return output if isinstance(output, bytes) else output.encode("utf-8", "replace")

    fault, right = moto.compare(scenario)
    assert fault.startswith(b"Linux version 2.6.16-xenU")
    raw = right if right.startswith(b"x") else base64.b64decode(right)
    assert len(raw) >= 65_536
    assert b"cloud-init finished" in raw


@pytest.mark.parametrize(
    ("status", "instance", "system"),
    [("ok", "ok", "ok"), ("initializing", "initializing", "initializing"), ("impaired", "impaired", "ok")],
)
def test_status_checks_follow_the_boot(moto, status, instance, system):
    """EC2 user guide, "Status checks for Amazon EC2 instances"."""

    def scenario(aws):
        aws.calls.status = status
        created = aws.run()["InstanceId"]
        (shown,) = aws.ec2.describe_instance_status(InstanceIds=[created])["InstanceStatuses"]
        return shown["InstanceStatus"]["Status"], shown["SystemStatus"]["Status"]

    assert moto.compare(scenario) == (("ok", "ok"), (instance, system))


def test_a_terminated_instance_is_shown_for_an_hour(aws):
    """EC2 user guide, "Terminate Amazon EC2 instances": it remains visible for a short while, then its entry is deleted."""
    import time

    from labkit.cloud.moto_seam.backends import backend
    from labkit.cloud.moto_seam.ec2.ec2_lifecycle import SHOWN_AFTER_END, forget_ended

    gone, kept = aws.run()["InstanceId"], aws.run()["InstanceId"]
    aws.ec2.terminate_instances(InstanceIds=[gone])

    def shown():
        found = aws.ec2.describe_instances()["Reservations"]
        return {each["InstanceId"] for reservation in found for each in reservation["Instances"]} & {
            gone,
            kept,
        }

    assert shown() == {gone, kept}
    forget_ended(backend("ec2", aws.ec2.meta.region_name), time.time() + SHOWN_AFTER_END + 1)
    assert shown() == {kept}
