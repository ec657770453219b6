"""The resource types that the local cloud emulates.

What belongs here: the list, and which GetAtt a template may use. What does not: any handler's code.
"""

from collections.abc import Mapping

from labkit.aws.templates.template import kind_of
from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.resources import (
    custom,
    dynamodb,
    ec2_acls,
    ec2_groups,
    ec2_instance,
    ec2_network,
    ec2_parts,
    iam,
    lambda_,
    nested,
    people,
    plain,
    s3,
    waiting,
)
from labkit.cloud.cloudformation.resources.base import Handler

_EC2: tuple[Handler, ...] = (
    ec2_network.Vpc(),
    ec2_network.Subnet(),
    ec2_network.InternetGateway(),
    ec2_network.VpcGatewayAttachment(),
    ec2_network.RouteTable(),
    ec2_network.Route(),
    ec2_network.SubnetRouteTableAssociation(),
    ec2_acls.NetworkAcl(),
    ec2_acls.NetworkAclEntry(),
    ec2_acls.SubnetNetworkAclAssociation(),
    ec2_network.VpcEndpoint(),
    ec2_network.ElasticIp(),
    ec2_network.ElasticIpAssociation(),
    ec2_network.NatGateway(),
    ec2_groups.SecurityGroup(),
    ec2_groups.SecurityGroupIngress(),
    ec2_groups.SecurityGroupEgress(),
    ec2_instance.Instance(),
    ec2_instance.LaunchTemplate(),
)
_ALL = (
    *_EC2,
    *ec2_parts.HANDLERS,
    *iam.HANDLERS,
    *people.HANDLERS,
    *s3.HANDLERS,
    *dynamodb.HANDLERS,
    *lambda_.HANDLERS,
    *plain.HANDLERS,
    *waiting.HANDLERS,
    custom.CustomResource(),
    nested.NestedStack(),
)

HANDLERS: Mapping[str, Handler] = {handler.type_name: handler for handler in _ALL}


def attribute_problem(type_name: str, attribute: str, region: str) -> str:
    """What is wrong with GetAtt of `attribute`; "" when it is right. `{resource}` stands for the id."""
    type_name = kind_of(type_name)
    if type_name not in HANDLERS or HANDLERS[type_name].supports(attribute):
        return ""
    if attribute in schema.load(type_name, region).read_only:
        return f"attribute {attribute} of type {type_name} is not emulated by the local cloud"
    return f"Template error: resource {{resource}} does not support attribute type {attribute} in Fn::GetAtt"
