"""EC2: what can't be deleted while something needs it. Each test shows plain moto's fault first."""


def code(text):
    return text.split(":")[0]


def group_in(aws, vpc, name="g"):
    return aws.ec2.create_security_group(GroupName=name, Description="g", VpcId=vpc)["GroupId"]


def test_everything_can_be_deleted_after_the_instance(aws):
    """VPC user guide, "Delete your VPC": in order, nothing is left that holds it."""
    vpc, subnet = aws.network()
    group = group_in(aws, vpc)
    instance = aws.run(SubnetId=subnet, SecurityGroupIds=[group])["InstanceId"]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    aws.ec2.delete_security_group(GroupId=group)
    aws.ec2.delete_subnet(SubnetId=subnet)
    aws.ec2.delete_vpc(VpcId=vpc)
    assert vpc not in [left["VpcId"] for left in aws.ec2.describe_vpcs()["Vpcs"]]


def test_subnet_with_an_instance_stays(moto, refusal):
    """EC2 API reference, DeleteSubnet: all instances must be terminated first."""

    def scenario(aws):
        _, subnet = aws.network()
        aws.run(SubnetId=subnet)
        return refusal(aws.ec2.delete_subnet, SubnetId=subnet).replace(subnet, "SUBNET")

    assert moto.compare(scenario) == (
        "",
        "DependencyViolation: The subnet 'SUBNET' has dependencies and cannot be deleted.",
    )


def test_group_of_an_instance_stays(moto, refusal):
    """EC2 API reference, DeleteSecurityGroup: DependencyViolation while it is in use."""

    def scenario(aws):
        vpc, subnet = aws.network()
        group = group_in(aws, vpc)
        aws.run(SubnetId=subnet, SecurityGroupIds=[group])
        return refusal(aws.ec2.delete_security_group, GroupId=group).replace(group, "GROUP")

    assert moto.compare(scenario) == ("", "DependencyViolation: resource GROUP has a dependent object")


def test_group_that_another_names_stays(moto, refusal):
    """EC2 API reference, DeleteSecurityGroup: also while another group refers to it."""

    def scenario(aws):
        vpc, _ = aws.network()
        source, target = group_in(aws, vpc, "a"), group_in(aws, vpc, "b")
        pair = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": source}]}]
        aws.ec2.authorize_security_group_ingress(GroupId=target, IpPermissions=pair)
        return code(refusal(aws.ec2.delete_security_group, GroupId=source))

    assert moto.compare(scenario) == ("", "DependencyViolation")


def test_default_group_cannot_be_deleted(moto, refusal):
    """VPC user guide, "Default security groups for your VPCs"."""

    def scenario(aws):
        vpc, _ = aws.network()
        groups = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        return code(refusal(aws.ec2.delete_security_group, GroupId=groups["SecurityGroups"][0]["GroupId"]))

    assert moto.compare(scenario) == ("", "CannotDelete")


def test_vpc_with_a_gateway_stays(moto, refusal):
    """EC2 API reference, DeleteVpc: all gateways must be detached first."""

    def scenario(aws):
        vpc = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return code(refusal(aws.ec2.delete_vpc, VpcId=vpc))

    assert moto.compare(scenario) == ("", "DependencyViolation")


def test_vpc_with_a_group_stays(moto, refusal):
    """EC2 API reference, DeleteVpc: all security groups except the default one must go first."""

    def scenario(aws):
        vpc = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        group_in(aws, vpc)
        return code(refusal(aws.ec2.delete_vpc, VpcId=vpc))

    assert moto.compare(scenario) == ("", "DependencyViolation")


def test_gateway_of_public_instances_stays(moto, refusal):
    """EC2 API reference, DetachInternetGateway: no instance with a public address may be there."""

    def scenario(aws):
        vpc, subnet = aws.network()
        gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        spec = [{"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True}]
        instance = aws.run(NetworkInterfaces=spec)["InstanceId"]
        before = refusal(aws.ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
        aws.ec2.terminate_instances(InstanceIds=[instance])
        after = (
            ""
            if not before
            else refusal(aws.ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
        )
        return code(before), after

    assert moto.compare(scenario) == (("", ""), ("DependencyViolation", ""))


def test_a_vpc_has_one_internet_gateway(moto, refusal):
    """VPC user guide, "Internet gateways": one for each VPC."""

    def scenario(aws):
        vpc, _ = aws.network()
        for _ in range(2):
            gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            refused = refusal(aws.ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
        return code(refused)

    assert moto.compare(scenario) == ("", "InvalidParameterValue")


def test_subnets_associations_go_with_it(moto, refusal):
    """VPC user guide, "Delete a subnet": its route table can go then."""

    def scenario(aws):
        vpc, subnet = aws.network()
        table = aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        aws.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        aws.ec2.delete_subnet(SubnetId=subnet)
        return code(refusal(aws.ec2.delete_route_table, RouteTableId=table))

    assert moto.compare(scenario) == ("DependencyViolation", "")


def test_route_to_a_detached_gateway_is_a_blackhole(moto):
    """EC2 API reference, Route: State."""

    def scenario(aws):
        vpc, _ = aws.network()
        gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        routes = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return [route["State"] for route in routes]

    assert moto.compare(scenario) == (["active", "active"], ["active", "blackhole"])


def test_interface_in_use_stays(moto, refusal):
    """EC2 API reference, DeleteNetworkInterface: detach it first."""

    def scenario(aws):
        interface = aws.instance(aws.run()["InstanceId"])["NetworkInterfaces"][0]["NetworkInterfaceId"]
        return code(refusal(aws.ec2.delete_network_interface, NetworkInterfaceId=interface))

    assert moto.compare(scenario) == ("", "InvalidParameterValue")


def test_nat_gateways_interface_goes_with_it(moto, refusal):
    """VPC user guide, "Work with NAT gateways": deleting one releases its interface and Elastic IP."""

    def scenario(aws):
        _, subnet = aws.network()
        elastic = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = aws.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=elastic)["NatGateway"]["NatGatewayId"]
        aws.ec2.delete_nat_gateway(NatGatewayId=nat)
        aws.ec2.release_address(AllocationId=elastic)
        left = len(aws.ec2.describe_network_interfaces()["NetworkInterfaces"])
        return left, refusal(aws.ec2.delete_subnet, SubnetId=subnet)

    assert moto.compare(scenario) == ((1, ""), (0, ""))


def test_endpoint_without_type_is_a_gateway(moto, refusal):
    """EC2 API reference, CreateVpcEndpoint: VpcEndpointType's default; it can be deleted again."""

    def scenario(aws):
        vpc, _ = aws.network()
        created = aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.ap-south-1.s3")
        endpoint = created["VpcEndpoint"]["VpcEndpointId"]
        return code(refusal(aws.ec2.delete_vpc_endpoints, VpcEndpointIds=[endpoint]))

    assert moto.compare(scenario) == ("500", "")
