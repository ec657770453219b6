"""What is left of a lab: looked for by tag and by name, service by service, never by what we remember.

What belongs here: read-only listing through the AWS API. What does not: deleting (the engines do that),
apart from emptying buckets, which no engine does.
"""

from collections.abc import Callable, Iterator
from typing import Any

from labkit.deploy.model import Survivor
from labkit.deploy.targets import Clients

TAG = "lab:variant"


def find(clients: Clients, *, prefix: str, tag_value: str) -> list[Survivor]:
    """Every resource of one lab that still exists: named `prefix`…, or tagged lab:variant=`tag_value`."""
    finders: tuple[Callable[[Clients, str, str], Iterator[Survivor]], ...] = (
        _stacks, _ec2, _functions, _buckets, _tables, _log_groups, _iam,
    )  # fmt: skip
    return [survivor for finder in finders for survivor in finder(clients, prefix, tag_value)]


def empty_bucket(clients: Clients, bucket: str) -> int:
    """Delete every object, version and delete marker of `bucket`; returns how many there were.

    A bucket that is deleted meanwhile (by a deletion that somebody walked away from) is empty too. A policy that
    refuses the deletion is taken away first: the account's root always may (S3 user guide, "Bucket policies").
    """
    from botocore.exceptions import ClientError

    api = clients.client("s3")
    try:
        return _emptied(api, bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            return 0
        if code != "AccessDenied":
            raise
    api.delete_bucket_policy(Bucket=bucket)
    return _emptied(api, bucket)


def _emptied(api: Any, bucket: str) -> int:
    from botocore.exceptions import ClientError

    deleted = 0
    for page in api.get_paginator("list_object_versions").paginate(Bucket=bucket):
        keys = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if keys:
            answer = api.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                raise ClientError({"Error": answer["Errors"][0]}, "DeleteObjects")
            deleted += len(keys)
    return deleted


def buckets_named(clients: Clients, prefix: str) -> list[str]:
    """Names of the account's buckets in this region that begin with `prefix`."""
    found = clients.client("s3").list_buckets().get("Buckets", [])
    named = [bucket["Name"] for bucket in found if bucket["Name"].startswith(prefix)]
    return [name for name in named if region_of(clients, name) in (clients.target.region, "")]


def region_of(clients: Clients, bucket: str) -> str:
    """The region in which a bucket lies, "" where AWS does not tell (it is gone, or another account's).

    S3 API reference, GetBucketLocation: none is us-east-1, EU is eu-west-1.
    """
    from botocore.exceptions import ClientError

    try:
        place = clients.client("s3").get_bucket_location(Bucket=bucket)["LocationConstraint"]
    except ClientError:
        return ""
    return {None: "us-east-1", "EU": "eu-west-1"}.get(place, str(place))


def _stacks(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    pages = clients.client("cloudformation").get_paginator("describe_stacks").paginate()
    for stack in (s for page in pages for s in page["Stacks"]):
        if stack["StackName"].startswith(prefix) and stack["StackStatus"] != "DELETE_COMPLETE":
            yield Survivor("cloudformation", "stack", stack["StackName"], "name")


#: a list in EC2's answers → what one entry is called
KINDS = {
    "NetworkInterfaces": "network interface",
    "Volumes": "volume",
    "SecurityGroups": "security group",
    "Subnets": "subnet",
    "RouteTables": "route table",
    "InternetGateways": "internet gateway",
    "Vpcs": "VPC",
}

#: EC2 describe calls: operation, list in the answer, id of an entry
_EC2: tuple[tuple[str, str, str], ...] = (
    ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("describe_volumes", "Volumes", "VolumeId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("describe_vpcs", "Vpcs", "VpcId"),
)


#: the same without the ids
EC2_LISTS = tuple((operation, entries) for operation, entries, _ in _EC2)


def _ec2(clients: Clients, _: str, tag_value: str) -> Iterator[Survivor]:
    """By tag; and by network: what stands in a tagged VPC is part of the lab, however it came there."""
    api = clients.client("ec2")
    by_tag = [{"Name": f"tag:{TAG}", "Values": [tag_value]}]
    yield from _instances(api, by_tag, "tag")
    for operation, entries, identifier in _EC2:
        answer: dict[str, Any] = getattr(api, operation)(Filters=by_tag)
        for entry in answer[entries]:
            yield Survivor("ec2", KINDS[entries], entry[identifier], "tag")
    vpcs = [vpc["VpcId"] for vpc in api.describe_vpcs(Filters=by_tag)["Vpcs"]]
    if vpcs:
        yield from _in_networks(api, vpcs)


def _instances(api: Any, filters: list[dict[str, Any]], found_by: str) -> Iterator[Survivor]:
    for page in api.get_paginator("describe_instances").paginate(Filters=filters):
        for instance in (i for r in page["Reservations"] for i in r["Instances"]):
            if instance["State"]["Name"] != "terminated" and (found_by == "tag" or not _tagged(instance)):
                yield Survivor("ec2", "instance", instance["InstanceId"], found_by)


def _in_networks(api: Any, vpcs: list[str]) -> Iterator[Survivor]:
    """What carries no tag of the lab and keeps its networks from being deleted."""
    by_vpc = [{"Name": "vpc-id", "Values": vpcs}]
    yield from _instances(api, by_vpc, "network")
    for operation, entries, identifier in _EC2:
        if entries in ("NetworkInterfaces", "SecurityGroups", "Subnets", "RouteTables"):
            for entry in getattr(api, operation)(Filters=by_vpc)[entries]:
                if not _tagged(entry) and not _goes_with_its_network(entry):
                    yield Survivor("ec2", KINDS[entries], entry[identifier], "network")


def _tagged(entry: dict[str, Any]) -> bool:
    return any(tag["Key"] == TAG for tag in [*entry.get("Tags", []), *entry.get("TagSet", [])])


def _goes_with_its_network(entry: dict[str, Any]) -> bool:
    """The default group and the main route table, made with the VPC, are deleted with it."""
    main = any(association.get("Main") for association in entry.get("Associations", []))
    return main or entry.get("GroupName") == "default"


def _functions(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    for page in clients.client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function["FunctionName"].startswith(prefix):
                yield Survivor("lambda", "function", function["FunctionName"], "name")


def _buckets(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    for name in buckets_named(clients, prefix):
        yield Survivor("s3", "bucket", name, "name")


def _tables(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    for page in clients.client("dynamodb").get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if name.startswith(prefix):
                yield Survivor("dynamodb", "table", name, "name")


def _log_groups(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    pages = clients.client("logs").get_paginator("describe_log_groups").paginate()
    for group in (g for page in pages for g in page["logGroups"]):
        if group["logGroupName"].startswith(("/aws/lambda/" + prefix, prefix)):
            yield Survivor("logs", "log group", group["logGroupName"], "name")


def _iam(clients: Clients, prefix: str, _: str) -> Iterator[Survivor]:
    api = clients.client("iam")
    for operation, entries, name, kind in (
        ("list_roles", "Roles", "RoleName", "role"),
        ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName", "instance profile"),
    ):
        pages = api.get_paginator(operation).paginate()
        found = (entry[name] for page in pages for entry in page[entries] if entry[name].startswith(prefix))
        yield from (Survivor("iam", kind, each, "name") for each in sorted(found))
