"""The parts of a lab in the inventory's normal form, made from what files state instead of from what exists.

What belongs here: one function for each kind, with AWS's defaults where the files say nothing; both engines'
readers end here. What does not: how an engine writes things (stated.terraform, stated.cloudformation).

Each takes and gives names as the AWS API has them. `labkit.deploy.inventory` reads the same from what stands.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.deploy.inventory import Found, Properties, document, short

ACCOUNT_ROOT = "arn:aws:iam::"
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True)
class Place:
    """Where the files would be deployed: what names and ARNs are made of."""

    prefix: str
    account: str
    region: str

    def arn(self, service: str, rest: str) -> str:
        """The ARN of a regional thing."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def identity(self, kind: str, name: str) -> str:
        """The ARN of a role or an instance profile."""
        return f"{ACCOUNT_ROOT}{self.account}:{kind}/{name}"

    def tagged(self, kind: str, tags: Mapping[str, str]) -> str:
        """The role of something that has its name in a tag."""
        return f"{kind} {short(tags.get('Name', ''), self.prefix)}".strip()

    def named(self, kind: str, name: str) -> str:
        """The role of something that has a name."""
        return f"{kind} {short(name, self.prefix)}"


def identifier(kind: str, name: str) -> str:
    """An id as EC2 might give it ("vpc-…"), the same for the same name, since nothing exists yet."""
    return f"{kind}-0{hashlib.sha256(f'{kind} {name}'.encode()).hexdigest()[:16]}"


def vpc(place: Place, ident: str, cidr: str, tags: Mapping[str, str], **stated: Any) -> Found:
    """A VPC; EC2 API reference, CreateVpc: DNS support is on, host names are off."""
    properties = {
        "CidrBlock": cidr,
        "InstanceTenancy": stated.get("tenancy") or "default",
        "enableDnsSupport": is_true(stated.get("dns_support"), True),
        "enableDnsHostnames": is_true(stated.get("dns_hostnames"), False),
        "Tags": dict(tags),
    }
    return Found(place.tagged("VPC", tags), (ident,), properties)


def subnet(
    place: Place, ident: str, network: str, cidr: str, tags: Mapping[str, str], **stated: Any
) -> Found:
    """A subnet."""
    properties = {
        "CidrBlock": cidr,
        "AvailabilityZone": stated.get("zone"),
        "VpcId": network,
        "MapPublicIpOnLaunch": is_true(stated.get("public"), False),
        "Tags": dict(tags),
    }
    return Found(place.tagged("subnet", tags), (ident,), properties)


def gateway(place: Place, ident: str, attached: Iterable[str], tags: Mapping[str, str]) -> Found:
    """An internet gateway and the networks to which it is attached."""
    return Found(
        place.tagged("internet gateway", tags), (ident,), {"AttachedTo": sorted(attached), "Tags": dict(tags)}
    )


def route_table(
    place: Place,
    ident: str,
    network: str,
    local: str,
    routes: Iterable[tuple[str, str]],
    subnets: Iterable[str],
    tags: Mapping[str, str],
) -> Found:
    """A route table with the route inside its VPC (`local` is that one's range) and those that were added."""
    listed = [(local, "local"), *routes]
    properties = {
        "VpcId": network,
        "Subnets": sorted(subnets),
        "Tags": dict(tags),
        "Routes": [{"To": to, "Via": via, "State": "active"} for to, via in listed],
    }
    return Found(place.tagged("route table", tags), (ident,), properties)


def rule(protocol: Any, first: Any, last: Any, peer: str) -> Properties:
    """One rule of a security group. Every protocol ("-1") has no ports."""
    every = str(protocol) == "-1"
    ports = {"FromPort": None, "ToPort": None} if every else {"FromPort": int(first), "ToPort": int(last)}
    return {"IpProtocol": str(protocol), **ports, "Peer": peer}


def security_group(
    place: Place,
    ident: str,
    name: str,
    description: str,
    network: str,
    rules: tuple[list[Properties], list[Properties]],
    tags: Mapping[str, str],
) -> Found:
    """A security group with its rules for what comes in and what goes out."""
    properties = {
        "GroupName": name,
        "Description": description,
        "VpcId": network,
        "Ingress": rules[0],
        "Egress": rules[1],
        "Tags": dict(tags),
    }
    return Found(place.named("security group", name), (ident,), properties)


def bucket(name: str, tags: Mapping[str, str], **stated: Any) -> Found:
    """A bucket. S3 user guide: new ones are encrypted (SSE-S3) and blocked, and keep no versions."""
    blocks = stated.get("blocks")
    policy = stated.get("policy")
    properties = {
        "Versioning": stated.get("versioning") or "never",
        "PublicAccessBlock": {
            name: is_true(blocks.get(name), False) if blocks is not None else True for name in BLOCKS
        },
        "Encryption": list(stated.get("encryption") or ["AES256"]),
        "Policy": document(policy) if policy else None,
        "Tags": dict(tags),
        "Name": name,
    }
    return Found("bucket images", (f"arn:aws:s3:::{name}",), properties)


def table(
    place: Place,
    name: str,
    keys: list[Properties],
    attributes: list[Properties],
    billing: str | None,
    indexes: Iterable[str],
    tags: Mapping[str, str],
) -> Found:
    """A DynamoDB table."""
    properties = {
        "Name": name,
        "KeySchema": keys,
        "Attributes": attributes,
        "Billing": billing or "PROVISIONED",
        "Indexes": sorted(indexes),
        "Tags": dict(tags),
    }
    return Found(place.named("table", name), (place.arn("dynamodb", f"table/{name}"),), properties)


def role(
    place: Place,
    name: str,
    trust: Any,
    policies: Mapping[str, Any],
    attached: Iterable[str],
    tags: Mapping[str, str],
) -> Found:
    """A role with what it trusts and what it may."""
    properties = {
        "Name": name,
        "Trust": document(trust),
        "Attached": sorted(attached),
        "Tags": dict(tags),
        "Policies": {key: document(policy) for key, policy in policies.items()},
    }
    return Found(place.named("role", name), (place.identity("role", name),), properties)


def profile(place: Place, name: str, roles: Iterable[str]) -> Found:
    """An instance profile."""
    return Found(
        place.named("instance profile", name),
        (place.identity("instance-profile", name),),
        {"Name": name, "Roles": list(roles)},
    )


def instance(place: Place, ident: str, address: str, tags: Mapping[str, str], **stated: Any) -> Found:
    """An instance that runs; `address` stands for the private one that it will get."""
    data = stated.get("user_data") or ""
    properties = {
        "ImageId": stated["image"], "InstanceType": stated["type"], "SubnetId": stated["subnet"],
        "VpcId": stated["network"], "State": "running", "Groups": sorted(stated["groups"]),
        "Profile": stated.get("profile"), "Metadata": stated.get("tokens") or "optional",
        "HasPublicAddress": bool(stated.get("public")), "Tags": dict(tags),
        "UserData": base64.b64encode(data.encode()).decode(),
    }  # fmt: skip
    return Found(place.tagged("instance", tags), (ident, address), properties)


def function(place: Place, name: str, tags: Mapping[str, str], **stated: Any) -> Found:
    """A Lambda function. Lambda API reference, CreateFunction: 3 s and 128 MB unless stated."""
    properties = {
        "FunctionName": name, "Description": stated.get("description") or "", "Runtime": stated["runtime"],
        "Timeout": int(stated.get("timeout") or 3), "MemorySize": int(stated.get("memory") or 128),
        "Role": stated["role"], "Variables": dict(stated.get("variables") or {}),
        "Subnets": sorted(stated.get("subnets") or ()), "Groups": sorted(stated.get("groups") or ()),
        "Handler": stated["handler"].rpartition(".")[2], "Module": stated["module"], "Tags": dict(tags),
    }  # fmt: skip
    return Found(place.named("function", name), (place.arn("lambda", f"function:{name}"),), properties)


def log_group(place: Place, name: str, days: Any, tags: Mapping[str, str]) -> Found:
    """A log group."""
    return Found(
        place.named("log group", name.rpartition("/")[2]),
        (place.arn("logs", f"log-group:{name}:*"),),
        {"Name": name, "Days": None if days is None else int(days), "Tags": dict(tags)},
    )


def other(kind: str, name: str) -> Found:
    """A kind of resource that the lab does not use: only that it exists is recorded."""
    return Found(f"{kind} {name}", (), {})


def is_true(value: Any, otherwise: bool) -> bool:
    """A truth value as either language writes it; `otherwise` where nothing is stated."""
    return otherwise if value is None else str(value).lower() == "true"
