"""What exists of one lab, read through the AWS API into one normal form, the same for every engine.

What belongs here: reading, and naming things by their role instead of by ids that AWS gives. What does not:
comparing two inventories (labkit.deploy.parity), and what an engine believes to exist.

The normal form is role → properties, plain JSON values. A role is a kind and the name without the project's
prefix ("security group server"); an id that AWS gave stands in properties as "<role>".
"""

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.deploy.removing.survivors import TAG
from labkit.deploy.targets import Clients

Properties = dict[str, Any]
Inventory = dict[str, Properties]

#: what is asked
SERVICES = ("ec2", "s3", "dynamodb", "iam", "lambda", "logs")
#: tags that an engine puts on by itself
_ENGINE_TAGS = "aws:"


def read(clients: Clients, *, prefix: str, tag_value: str) -> Inventory:
    """Everything of the lab named `prefix`… or tagged with its variant, in the normal form."""
    reader = _Reader(clients, prefix, tag_value)
    found = [*_network(reader), *_storage(reader), *_roles(reader), *_compute(reader)]
    return by_role(found)


def short(name: str, prefix: str) -> str:
    """A name without the project's prefix and environment."""
    return name.removeprefix(prefix).lstrip("-").split("-", 1)[-1]


@dataclass(frozen=True)
class Found:
    """One thing: its role, the ids and ARNs by which others refer to it, its properties."""

    role: str
    ids: tuple[str, ...]
    properties: Properties


@dataclass(frozen=True)
class _Reader:
    clients: Clients
    prefix: str
    tag_value: str

    def ec2(self, operation: str, entries: str, **filters: list[str]) -> list[Properties]:
        """All entries of an EC2 describe call, by tag unless other filters are given."""
        wanted = filters or {f"tag:{TAG}": [self.tag_value]}
        api = self.clients.client("ec2")
        pages = api.get_paginator(operation).paginate(
            Filters=[{"Name": name.replace("_", "-"), "Values": values} for name, values in wanted.items()]
        )
        return [entry for page in pages for entry in page[entries]]

    def short(self, name: str) -> str:
        """As the function of this name, for this project."""
        return short(name, self.prefix)

    def role(self, kind: str, entry: Mapping[str, Any]) -> str:
        """Kind and short Name tag."""
        return f"{kind} {self.short(plain_tags(entry.get('Tags')).get('Name', ''))}".strip()


def by_role(found: list[Found]) -> Inventory:
    """Ids replaced by roles, everywhere; a role that occurs twice is numbered."""
    roles: dict[str, str] = {}
    inventory: dict[str, Found] = {}
    for item in found:
        role, number = item.role, 1
        while role in inventory:
            number += 1
            role = f"{item.role} {number}"
        inventory[role] = item
        roles |= {identifier: f"<{role}>" for identifier in item.ids if identifier}
    longest_first = sorted(roles, key=len, reverse=True)

    def named(value: Any) -> Any:
        if isinstance(value, str):
            for identifier in longest_first:
                value = value.replace(identifier, roles[identifier])
            return value
        if isinstance(value, Mapping):
            return {named(key): named(entry) for key, entry in sorted(value.items())}
        if isinstance(value, list | tuple):
            return sorted(map(named, value), key=str)  # the order of ids says nothing
        return value

    return {role: named(item.properties) for role, item in sorted(inventory.items())}


def plain_tags(tags: Any) -> dict[str, str]:
    """Tags without those that engines put on by themselves; from EC2's list or Lambda's mapping."""
    pairs = tags.items() if isinstance(tags, Mapping) else ((t["Key"], t["Value"]) for t in tags or [])
    return {key: value for key, value in pairs if not key.startswith(_ENGINE_TAGS)}


def _picked(entry: Mapping[str, Any], *names: str) -> Properties:
    return {name: entry.get(name) for name in names}


def document(value: Any) -> Any:
    """A policy in one form: statements as a list, one action or resource as a list of one, in order."""
    if isinstance(value, str):
        value = json.loads(urllib.parse.unquote(value))
    statements = value["Statement"] if isinstance(value["Statement"], list) else [value["Statement"]]
    return {"Version": value.get("Version"), "Statement": sorted(map(_statement, statements), key=str)}


def _statement(statement: Mapping[str, Any]) -> Properties:
    """A statement without its name, which decides nothing; values as IAM reads them: one is a list of one, true is "true"."""
    return {
        key: _principal(value)
        if key.endswith("Principal")
        else _conditions(value)
        if key == "Condition"
        else sorted(map(str, [value] if isinstance(value, str) else value))
        if key.endswith(("Action", "Resource"))
        else value
        for key, value in statement.items()
        if key != "Sid"
    }


def _principal(value: Any) -> Properties:
    """IAM user guide, "AWS JSON policy elements: Principal": a star is the same as AWS with a star."""
    named = {"AWS": value} if isinstance(value, str) else value
    return {kind: sorted([each] if isinstance(each, str) else each) for kind, each in named.items()}


def _conditions(value: Mapping[str, Mapping[str, Any]]) -> Properties:
    return {
        operator: {
            key: sorted(map(_plain, each if isinstance(each, list) else [each])) for key, each in keys.items()
        }
        for operator, keys in value.items()
    }


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- Network ------------------------------------------------------------------------------------


def _network(reader: _Reader) -> Iterator[Found]:
    vpcs = reader.ec2("describe_vpcs", "Vpcs")
    for vpc in vpcs:
        yield _vpc(reader, vpc)
    for subnet in reader.ec2("describe_subnets", "Subnets"):
        names = ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "VpcId")
        yield Found(
            reader.role("subnet", subnet),
            (subnet["SubnetId"],),
            {**_picked(subnet, *names), "Tags": plain_tags(subnet.get("Tags"))},
        )
    for gateway in reader.ec2("describe_internet_gateways", "InternetGateways"):
        attached = sorted(attachment["VpcId"] for attachment in gateway["Attachments"])
        yield Found(
            reader.role("internet gateway", gateway),
            (gateway["InternetGatewayId"],),
            {"AttachedTo": attached, "Tags": plain_tags(gateway.get("Tags"))},
        )
    for table in reader.ec2("describe_route_tables", "RouteTables"):
        yield _route_table(reader, table)
    if vpcs:
        yield from _groups(reader, [vpc["VpcId"] for vpc in vpcs])


def _vpc(reader: _Reader, vpc: Properties) -> Found:
    api = reader.clients.client("ec2")
    dns = {
        attribute: api.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)[key]["Value"]
        for attribute, key in (
            ("enableDnsSupport", "EnableDnsSupport"),
            ("enableDnsHostnames", "EnableDnsHostnames"),
        )
    }
    properties = {**_picked(vpc, "CidrBlock", "InstanceTenancy"), **dns, "Tags": plain_tags(vpc.get("Tags"))}
    return Found(reader.role("VPC", vpc), (vpc["VpcId"],), properties)


def _route_table(reader: _Reader, table: Properties) -> Found:
    routes = [
        {"To": route.get("DestinationCidrBlock"), "Via": route.get("GatewayId"), "State": route.get("State")}
        for route in table["Routes"]
    ]
    subnets = sorted(a["SubnetId"] for a in table["Associations"] if a.get("SubnetId"))
    properties = {
        "VpcId": table["VpcId"],
        "Routes": sorted(routes, key=str),
        "Subnets": subnets,
        "Tags": plain_tags(table.get("Tags")),
    }
    return Found(reader.role("route table", table), (table["RouteTableId"],), properties)


def _groups(reader: _Reader, vpcs: list[str]) -> Iterator[Found]:
    for group in reader.ec2("describe_security_groups", "SecurityGroups", vpc_id=vpcs):
        if group["GroupName"] == "default":
            continue
        properties = {
            **_picked(group, "GroupName", "Description", "VpcId"),
            "Ingress": _rules(group["IpPermissions"]),
            "Egress": _rules(group["IpPermissionsEgress"]),
            "Tags": plain_tags(group.get("Tags")),
        }
        yield Found(f"security group {reader.short(group['GroupName'])}", (group["GroupId"],), properties)


def _rules(permissions: list[Properties]) -> list[Properties]:
    """One entry for each rule, however the API groups them."""
    rules = []
    for permission in permissions:
        head = _picked(permission, "IpProtocol", "FromPort", "ToPort")
        head = {key: None if value == -1 else value for key, value in head.items()}
        for entries, key in (
            ("IpRanges", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6"),
            ("UserIdGroupPairs", "GroupId"),
            ("PrefixListIds", "PrefixListId"),
        ):
            for entry in permission.get(entries, []):
                rules.append({**head, "Peer": entry[key]})  # its description decides nothing
    return sorted(rules, key=str)


# ---- Storage ------------------------------------------------------------------------------------


def _storage(reader: _Reader) -> Iterator[Found]:
    for bucket in reader.clients.client("s3").list_buckets().get("Buckets", []):
        if bucket["Name"].startswith(reader.prefix):
            yield _bucket(reader, bucket["Name"])
    for page in reader.clients.client("dynamodb").get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if name.startswith(reader.prefix):
                yield _table(reader, name)


def _bucket(reader: _Reader, name: str) -> Found:
    api = reader.clients.client("s3")
    encryption = _asked(api.get_bucket_encryption, "ServerSideEncryptionConfiguration", Bucket=name) or {}
    blocks = _asked(api.get_public_access_block, "PublicAccessBlockConfiguration", Bucket=name)
    policy = _asked(api.get_bucket_policy, "Policy", Bucket=name)
    properties = {
        "Versioning": api.get_bucket_versioning(Bucket=name).get("Status", "never"),
        "PublicAccessBlock": blocks,
        "Encryption": [
            rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in encryption.get("Rules", [])
        ],
        "Policy": document(policy) if policy else None,
        "Tags": plain_tags(_asked(api.get_bucket_tagging, "TagSet", Bucket=name)),
        "Name": name,
    }
    return Found("bucket images", (f"arn:aws:s3:::{name}",), properties)


def _asked(call: Any, key: str, **arguments: Any) -> Any:
    """What a call answers under `key`; None where AWS says that nothing is set."""
    from botocore.exceptions import ClientError

    try:
        return call(**arguments).get(key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code.startswith("NoSuch") or code.endswith("NotFoundError"):
            return None
        raise


def _table(reader: _Reader, name: str) -> Found:
    api = reader.clients.client("dynamodb")
    table = api.describe_table(TableName=name)["Table"]
    properties = {
        "Name": name,
        "KeySchema": table["KeySchema"],
        "Attributes": table["AttributeDefinitions"],
        "Billing": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "Indexes": sorted(index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])),
        "Tags": plain_tags(api.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
    }
    return Found(f"table {reader.short(name)}", (table["TableArn"],), properties)


# ---- Roles --------------------------------------------------------------------------------------


def _roles(reader: _Reader) -> Iterator[Found]:
    api = reader.clients.client("iam")
    for page in api.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith(reader.prefix):
                yield _role(reader, role)
    for page in api.get_paginator("list_instance_profiles").paginate():
        for profile in page["InstanceProfiles"]:
            name = profile["InstanceProfileName"]
            if name.startswith(reader.prefix):
                held = [role["RoleName"] for role in profile["Roles"]]
                yield Found(
                    f"instance profile {reader.short(name)}", (profile["Arn"],), {"Name": name, "Roles": held}
                )


def _role(reader: _Reader, role: Properties) -> Found:
    api, name = reader.clients.client("iam"), role["RoleName"]
    policies = {
        policy: document(api.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
        for policy in api.list_role_policies(RoleName=name)["PolicyNames"]
    }
    attached = api.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    properties = {
        "Name": name,
        "Trust": document(role["AssumeRolePolicyDocument"]),
        "Policies": policies,
        "Attached": sorted(policy["PolicyArn"] for policy in attached),
        "Tags": plain_tags(api.list_role_tags(RoleName=name)["Tags"]),
    }
    return Found(f"role {reader.short(name)}", (role["Arn"],), properties)


# ---- Server, function, logs ---------------------------------------------------------------------


def _compute(reader: _Reader) -> Iterator[Found]:
    for reservation in reader.ec2("describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in ("terminated", "shutting-down"):
                yield _instance(reader, instance)
    for page in reader.clients.client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function["FunctionName"].startswith(reader.prefix):
                yield _function(reader, function)
    pages = (
        reader.clients.client("logs")
        .get_paginator("describe_log_groups")
        .paginate(logGroupNamePrefix=f"/aws/lambda/{reader.prefix}")
    )
    for group in (group for page in pages for group in page["logGroups"]):
        yield _log_group(reader, group)


def _instance(reader: _Reader, instance: Properties) -> Found:
    api, identifier = reader.clients.client("ec2"), instance["InstanceId"]
    data = api.describe_instance_attribute(InstanceId=identifier, Attribute="userData")["UserData"]
    properties = {
        **_picked(instance, "ImageId", "InstanceType", "SubnetId", "VpcId"),
        "State": instance["State"]["Name"],
        "Groups": sorted(group["GroupId"] for group in instance["SecurityGroups"]),
        "Profile": instance.get("IamInstanceProfile", {}).get("Arn"),
        "Metadata": instance.get("MetadataOptions", {}).get("HttpTokens"),
        "HasPublicAddress": bool(instance.get("PublicIpAddress")),
        "UserData": data.get("Value", ""),
        "Tags": plain_tags(instance.get("Tags")),
    }
    return Found(
        reader.role("instance", instance), (identifier, instance.get("PrivateIpAddress", "")), properties
    )


def _function(reader: _Reader, function: Properties) -> Found:
    api = reader.clients.client("lambda")
    network = function.get("VpcConfig") or {}
    properties = {
        **_picked(function, "FunctionName", "Description", "Runtime", "Timeout", "MemorySize", "Role"),
        "Variables": function.get("Environment", {}).get("Variables", {}),
        "Subnets": sorted(network.get("SubnetIds", [])),
        "Groups": sorted(network.get("SecurityGroupIds", [])),
        "Handler": function["Handler"].rpartition(".")[2],  # the module's name is the engine's choice
        "Tags": plain_tags(api.list_tags(Resource=function["FunctionArn"])["Tags"]),
    }
    return Found(f"function {reader.short(function['FunctionName'])}", (function["FunctionArn"],), properties)


def _log_group(reader: _Reader, group: Properties) -> Found:
    name = group["logGroupName"]
    tags = reader.clients.client("logs").list_tags_log_group(logGroupName=name)["tags"]
    properties = {"Name": name, "Days": group.get("retentionInDays"), "Tags": plain_tags(tags)}
    return Found(f"log group {reader.short(name.rpartition('/')[2])}", (group["arn"],), properties)
