"""Instances and networks as the data plane reads them."""

import pytest

from labkit.aws.records import Permission, RouteRecord
from labkit.cloud.moto_seam.ec2.ec2_records import instances
from labkit.cloud.moto_seam.ec2.network_records import network_state

pytestmark = pytest.mark.slow

ANYWHERE = "0.0.0.0/0"


def subnet_record(subnet_id):
    return next(subnet for subnet in network_state().subnets if subnet.subnet_id == subnet_id)


def group_record(group_id):
    return next(group for group in network_state().groups if group.group_id == group_id)


@pytest.fixture
def gateway(aws):
    vpc, subnet = aws.network()
    gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return vpc, subnet, gateway


def test_instance_is_read_whole(aws):
    role = aws.role("server", "ec2.amazonaws.com")
    profile = aws.iam.create_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Arn"]
    aws.iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="server")
    vpc, subnet = aws.network()
    group = aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    created = aws.run(
        SubnetId=subnet,
        SecurityGroupIds=[group],
        UserData="#!/bin/sh\necho é\n",
        IamInstanceProfile={"Name": "p"},
        MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "flask"}]}],
    )
    (record,) = instances()
    assert (record.instance_id, record.region, record.state) == (
        created["InstanceId"],
        "ap-south-1",
        "running",
    )
    assert (record.instance_type, record.image_id) == ("t3.micro", aws.image())
    assert (record.vpc_id, record.subnet_id, record.availability_zone) == (vpc, subnet, "ap-south-1a")
    assert (record.private_ip, record.public_ip) == ("10.7.1.4", "")
    assert record.security_group_ids == (group,)
    assert record.user_data == "#!/bin/sh\necho é\n".encode()
    assert (record.profile_arn, record.role_arn) == (profile, role)
    assert (record.imds_tokens, record.tags) == ("required", {"Name": "flask"})
    assert record.mac == aws.instance(record.instance_id)["NetworkInterfaces"][0]["MacAddress"]


def test_changes_of_an_instance_are_seen(aws):
    created = aws.run()
    (before,) = instances()
    assert before.public_ip
    assert before.imds_tokens == "optional"
    aws.ec2.modify_instance_metadata_options(InstanceId=created["InstanceId"], HttpTokens="required")
    aws.ec2.stop_instances(InstanceIds=[created["InstanceId"]])
    (stopped,) = instances()
    assert (stopped.state, stopped.public_ip, stopped.private_ip) == ("stopped", "", before.private_ip)
    assert stopped.imds_tokens == "required"
    aws.ec2.terminate_instances(InstanceIds=[created["InstanceId"]])
    (gone,) = instances()
    assert (gone.state, gone.private_ip, gone.security_group_ids) == ("terminated", "", ())


def test_all_regions_are_read(aws):
    aws.run()
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    there = aws.client("ssm", "eu-west-1").get_parameter(Name=image)["Parameter"]["Value"]
    aws.client("ec2", "eu-west-1").run_instances(
        ImageId=there, InstanceType="t3.micro", MinCount=1, MaxCount=1
    )
    assert {record.region for record in instances()} == {"ap-south-1", "eu-west-1"}
    assert {subnet.availability_zone[:-1] for subnet in network_state().subnets} >= {
        "ap-south-1",
        "eu-west-1",
    }


def test_subnet_follows_the_main_table_until_it_has_its_own(aws, gateway):
    """VPC user guide, "Subnet route tables"."""
    vpc, subnet, gateway = gateway
    local = RouteRecord("10.7.0.0/16", "local")
    assert subnet_record(subnet).routes == (local,)
    table = aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    assert subnet_record(subnet).routes == (local,)
    association = aws.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    assert subnet_record(subnet).routes == (local, RouteRecord(ANYWHERE, gateway))
    aws.ec2.disassociate_route_table(AssociationId=association)
    assert subnet_record(subnet).routes == (local,)


def test_route_of_a_detached_gateway_is_a_blackhole(aws, gateway):
    vpc, subnet, gateway = gateway
    (main,) = aws.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    aws.ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    assert [(v.cidr, v.internet_gateway) for v in network_state().vpcs if v.vpc_id == vpc] == [
        ("10.7.0.0/16", gateway)
    ]
    aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert subnet_record(subnet).routes[1] == RouteRecord(ANYWHERE, "blackhole")
    assert next(v for v in network_state().vpcs if v.vpc_id == vpc).internet_gateway == ""


def test_other_targets_of_routes(aws, gateway):
    """EC2 API reference, CreateRoute: NAT gateways, interfaces and gateway endpoints."""
    vpc, subnet, _ = gateway
    (main,) = aws.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    table = main["RouteTableId"]
    interface = aws.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    elastic = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = aws.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=elastic)["NatGateway"]["NatGatewayId"]
    aws.ec2.create_route(
        RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", NetworkInterfaceId=interface
    )
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, NatGatewayId=nat)
    endpoint = aws.ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.ap-south-1.s3", RouteTableIds=[table]
    )["VpcEndpoint"]["VpcEndpointId"]
    routes = {route.cidr: route.target for route in subnet_record(subnet).routes}
    assert routes["192.0.2.0/24"] == interface
    assert routes[ANYWHERE] == nat
    assert endpoint in {target for cidr, target in routes.items() if cidr.startswith("198.18.0.")}


def test_interface_endpoint_has_addresses_of_its_subnets(moto):
    """PrivateLink guide, "Interface endpoints": an interface in each subnet."""

    def scenario(aws):
        vpc, subnet = aws.network()
        aws.ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName="com.amazonaws.ap-south-1.ssm",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
        )
        (interface,) = aws.ec2.describe_network_interfaces()["NetworkInterfaces"]
        return interface["PrivateIpAddress"] == "10.7.1.4"

    assert moto.compare(scenario) == (False, True)


def test_permissions_are_one_for_each_peer(aws):
    vpc, _ = aws.network()
    server, client = (
        aws.ec2.create_security_group(GroupName=name, Description="g", VpcId=vpc)["GroupId"]
        for name in ("server", "client")
    )
    wanted = {
        "IpProtocol": "tcp",
        "FromPort": 5417,
        "ToPort": 5418,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.0.2.1/32"}],
        "UserIdGroupPairs": [{"GroupId": client}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
    }
    aws.ec2.authorize_security_group_ingress(GroupId=server, IpPermissions=[wanted])
    record = group_record(server)
    assert (record.name, record.vpc_id) == ("server", vpc)
    assert set(record.ingress) == {
        Permission("tcp", 5417, 5418, cidr="10.0.0.0/8"),
        Permission("tcp", 5417, 5418, cidr="192.0.2.1/32"),
        Permission("tcp", 5417, 5418, group_id=client),
    }
    assert record.egress == (Permission("-1", -1, -1, cidr=ANYWHERE),)


def test_default_group_lets_its_members_talk(aws):
    """VPC user guide, "Default security groups": all traffic from the group itself."""
    vpc, _ = aws.network()
    default = next(g for g in network_state().groups if g.vpc_id == vpc and g.name == "default")
    assert default.egress == (Permission("-1", -1, -1, cidr=ANYWHERE),)


def test_prefix_lists_are_spelled_out(aws):
    """VPC user guide, "AWS-managed prefix lists" in security group rules."""
    vpc, _ = aws.network()
    group = aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    lists = aws.ec2.describe_managed_prefix_lists()["PrefixLists"]
    s3 = next(item["PrefixListId"] for item in lists if item["PrefixListName"].endswith(".s3"))
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": s3}]}
    aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule])
    cidrs = [permission.cidr for permission in group_record(group).egress if permission.from_port == 443]
    assert [cidr.rpartition(".")[0] for cidr in cidrs] == ["198.18.0"]


def test_nothing_is_read_where_nothing_is(aws):
    assert instances() == ()
    assert network_state().vpcs == ()
