"""What a Terraform plan states, in the inventory's normal form.

What belongs here: from a plan's JSON (Terraform: "JSON Output Format") to parts. What does not: making the plan.

A plan of something that does not exist leaves ids and all that is made of them open (policies, user data,
variables). So two plans are read: the plain one, and one in which Terraform was told the ids (stated.overriding).
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.deploy.inventory import Found, Inventory, by_role
from labkit.deploy.stated import parts
from labkit.deploy.stated.cloudformation import ADDRESS, PUBLIC, module_hash
from labkit.deploy.stated.parts import Place

Plan = Mapping[str, Any]

#: type → how its id begins
_IDS = {
    "aws_vpc": "vpc",
    "aws_subnet": "subnet",
    "aws_internet_gateway": "igw",
    "aws_route_table": "rtb",
    "aws_security_group": "sg",
    "aws_instance": "i",
}
#: types that are a part of something else here
_PARTS = (
    "aws_route", "aws_route_table_association", "aws_internet_gateway_attachment", "aws_iam_role_policy",
    "aws_iam_role_policy_attachment", "aws_security_group_rule", "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule", "aws_s3_bucket_versioning", "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_policy",
)  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One managed resource of a plan: address, type, and the values that it will have, as far as they are known."""

    address: str
    type: str
    values: Mapping[str, Any]
    open: Mapping[str, Any]

    def known(self, name: str) -> Any:
        """A value that the plain plan knew; None where it left that to AWS."""
        return None if self.open.get(name) else self.values.get(name)


def resources(plan: Plan) -> dict[str, Resource]:
    """The managed resources that the plan would have, by address."""
    found = [
        c for c in plan["resource_changes"] if c["mode"] == "managed" and c["change"]["after"] is not None
    ]
    return {
        entry["address"]: Resource(
            entry["address"],
            entry["type"],
            entry["change"]["after"],
            entry["change"].get("after_unknown") or {},
        )
        for entry in found
    }


def computed(resource: Resource, place: Place) -> dict[str, str] | None:
    """What AWS will give a resource and others refer to (id, ARN, address); None: nobody needs to be told.

    AWS provider documentation, "Attribute Reference" of each type.
    """
    own = resource.values
    if resource.type in _IDS:
        ident = parts.identifier(_IDS[resource.type], resource.address)
        more = {"private_ip": ADDRESS, "public_ip": PUBLIC} if resource.type == "aws_instance" else {}
        return {"id": ident, **more}
    name = str(own.get("name") or own.get("bucket") or "")
    arn = {
        "aws_s3_bucket": f"arn:aws:s3:::{name}",
        "aws_dynamodb_table": place.arn("dynamodb", f"table/{name}"),
        "aws_iam_role": place.identity("role", name),
        "aws_iam_instance_profile": place.identity("instance-profile", name),
        "aws_cloudwatch_log_group": place.arn("logs", f"log-group:{name}"),
    }.get(resource.type)
    return {"id": name, "arn": arn} if arn else None


def read(plain: Plan, told: Plan, place: Place, folder: Path) -> Inventory:
    """The plan `plain`, completed by `told`, which knew the ids. `folder` has the files that the plan names."""
    first, second = resources(plain), resources(told)
    merged = [_merged(resource, second[address]) for address, resource in first.items()]
    return by_role(list(_Reader(merged, place, folder).found()))


def _merged(plain: Resource, told: Resource) -> Resource:
    """What the plain plan knew, and from the other what it left open; `tags_all` is only in the plain one."""
    opened = {name: value for name, value in told.values.items() if _is_open(plain.open.get(name))}
    return Resource(plain.address, plain.type, {**told.values, **plain.values, **opened}, plain.open)


def _is_open(mark: Any) -> bool:
    if isinstance(mark, Mapping):
        return any(map(_is_open, mark.values()))
    return any(map(_is_open, mark)) if isinstance(mark, list) else mark is True


@dataclass(frozen=True)
class _Reader:
    resources: list[Resource]
    place: Place
    folder: Path

    def found(self) -> Iterator[Found]:
        """Every resource that is a thing of its own."""
        makers = {
            "aws_vpc": self._vpc, "aws_subnet": self._subnet, "aws_internet_gateway": self._gateway,
            "aws_route_table": self._route_table, "aws_security_group": self._security_group,
            "aws_s3_bucket": self._bucket, "aws_dynamodb_table": self._table, "aws_iam_role": self._role,
            "aws_iam_instance_profile": self._profile, "aws_instance": self._instance,
            "aws_lambda_function": self._function, "aws_cloudwatch_log_group": self._log_group,
        }  # fmt: skip
        for resource in self.resources:
            if resource.type in makers:
                yield makers[resource.type](resource)
            elif resource.type not in _PARTS:
                yield parts.other(resource.type, resource.address)

    def _of(self, kind: str, **equal: Any) -> list[Mapping[str, Any]]:
        """Values of the resources of a type whose arguments are these."""
        return [
            each.values
            for each in self.resources
            if each.type == kind and all(each.values.get(name) == value for name, value in equal.items())
        ]

    def _ident(self, resource: Resource) -> str:
        return (computed(resource, self.place) or {})["id"]

    def _by_id(self, kind: str, ident: str) -> Resource:
        return next(r for r in self.resources if r.type == kind and self._ident(r) == ident)

    # -- network ---------------------------------------------------------------------------------------

    def _vpc(self, resource: Resource) -> Found:
        own = resource.values
        return parts.vpc(
            self.place,
            self._ident(resource),
            own["cidr_block"],
            own["tags_all"],
            tenancy=resource.known("instance_tenancy"),
            dns_support=resource.known("enable_dns_support"),
            dns_hostnames=resource.known("enable_dns_hostnames"),
        )

    def _subnet(self, resource: Resource) -> Found:
        own = resource.values
        return parts.subnet(
            self.place,
            self._ident(resource),
            own["vpc_id"],
            own["cidr_block"],
            own["tags_all"],
            zone=resource.known("availability_zone"),
            public=own.get("map_public_ip_on_launch"),
        )

    def _gateway(self, resource: Resource) -> Found:
        ident, own = self._ident(resource), resource.values
        apart = [
            each["vpc_id"] for each in self._of("aws_internet_gateway_attachment", internet_gateway_id=ident)
        ]
        attached = [own["vpc_id"]] if own.get("vpc_id") else apart
        return parts.gateway(self.place, ident, attached, own["tags_all"])

    def _route_table(self, resource: Resource) -> Found:
        ident, own = self._ident(resource), resource.values
        inside = [(r["cidr_block"], r.get("gateway_id") or "") for r in resource.known("route") or []]
        apart = [
            (each["destination_cidr_block"], each.get("gateway_id") or each.get("nat_gateway_id") or "")
            for each in self._of("aws_route", route_table_id=ident)
        ]
        subnets = [
            each["subnet_id"] for each in self._of("aws_route_table_association", route_table_id=ident)
        ]
        local = self._by_id("aws_vpc", own["vpc_id"]).values["cidr_block"]
        return parts.route_table(
            self.place, ident, own["vpc_id"], local, [*inside, *apart], subnets, own["tags_all"]
        )

    def _security_group(self, resource: Resource) -> Found:
        ident, own = self._ident(resource), resource.values
        rules = (self._rules(resource, ident, "ingress"), self._rules(resource, ident, "egress"))
        return parts.security_group(
            self.place, ident, own["name"], own["description"], own["vpc_id"], rules, own["tags_all"]
        )

    def _rules(self, resource: Resource, group: str, way: str) -> list[dict[str, Any]]:
        """Rules written in the group, as aws_security_group_rule, or as a resource of its own each."""
        old = self._of("aws_security_group_rule", security_group_id=group, type=way)
        inside = [
            _rule(entry, peer) for entry in [*(resource.known(way) or []), *old] for peer in _peers(entry)
        ]
        own = self._of(f"aws_vpc_security_group_{way}_rule", security_group_id=group)
        return inside + [_rule(each, peer, "ip_protocol") for each in own for peer in _peers(each)]

    # -- storage, roles ----------------------------------------------------------------------------------

    def _bucket(self, resource: Resource) -> Found:
        name, kind = resource.values["bucket"], "aws_s3_bucket"
        blocks = next(iter(self._of(f"{kind}_public_access_block", bucket=name)), None)
        versions = [
            v["versioning_configuration"][0]["status"] for v in self._of(f"{kind}_versioning", bucket=name)
        ]
        encryption = [
            default["sse_algorithm"]
            for each in self._of(f"{kind}_server_side_encryption_configuration", bucket=name)
            for rule in each["rule"]
            for default in rule["apply_server_side_encryption_by_default"]
        ]
        policies = [each["policy"] for each in self._of(f"{kind}_policy", bucket=name)]
        return parts.bucket(
            name,
            resource.values["tags_all"],
            versioning=next(iter(versions), None),
            encryption=encryption,
            blocks=None if blocks is None else {b: blocks[_snake(b)] for b in parts.BLOCKS},
            policy=next(iter(policies), None),
        )

    def _table(self, resource: Resource) -> Found:
        own = resource.values
        keys = [(own["hash_key"], "HASH"), *([(own["range_key"], "RANGE")] if own.get("range_key") else [])]
        return parts.table(
            self.place,
            own["name"],
            [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            [{"AttributeName": each["name"], "AttributeType": each["type"]} for each in own["attribute"]],
            own.get("billing_mode"),
            [each["name"] for each in own.get("global_secondary_index") or []],
            own["tags_all"],
        )

    def _role(self, resource: Resource) -> Found:
        own = resource.values
        policies = {p["name"]: p["policy"] for p in self._of("aws_iam_role_policy", role=own["name"])}
        inside = {p["name"]: p["policy"] for p in resource.known("inline_policy") or []}
        attached = [p["policy_arn"] for p in self._of("aws_iam_role_policy_attachment", role=own["name"])]
        attached += resource.known("managed_policy_arns") or []
        return parts.role(
            self.place,
            own["name"],
            own["assume_role_policy"],
            {**inside, **policies},
            attached,
            own["tags_all"],
        )

    def _profile(self, resource: Resource) -> Found:
        return parts.profile(self.place, resource.values["name"], [resource.values["role"]])

    # -- server, function, logs ----------------------------------------------------------------------------

    def _instance(self, resource: Resource) -> Found:
        own = resource.values
        subnet = self._by_id("aws_subnet", own["subnet_id"]).values
        public = resource.known("associate_public_ip_address")
        profile = own.get("iam_instance_profile")
        options = own.get("metadata_options") or [{}]
        return parts.instance(
            self.place, self._ident(resource), ADDRESS, own["tags_all"],
            image=own["ami"], type=own["instance_type"], subnet=own["subnet_id"], network=subnet["vpc_id"],
            groups=own["vpc_security_group_ids"], tokens=options[0].get("http_tokens"),
            profile=self.place.identity("instance-profile", profile) if profile else None,
            public=subnet.get("map_public_ip_on_launch") if public is None else public,
            user_data=own.get("user_data"),
        )  # fmt: skip

    def _function(self, resource: Resource) -> Found:
        own = resource.values
        network = (own.get("vpc_config") or [{}])[0]
        variables = (own.get("environment") or [{}])[0].get("variables")
        return parts.function(
            self.place, own["function_name"], own["tags_all"], description=own.get("description"),
            runtime=own["runtime"], timeout=own.get("timeout"), memory=own.get("memory_size"), role=own["role"],
            variables=variables, subnets=network.get("subnet_ids"), groups=network.get("security_group_ids"),
            handler=own["handler"], module=self._module(own["filename"], own["handler"]),
        )  # fmt: skip

    def _module(self, archive: str, handler: str) -> str:
        with zipfile.ZipFile(self.folder / archive) as file:
            return module_hash(file.read(handler.rpartition(".")[0].replace(".", "/") + ".py").decode())

    def _log_group(self, resource: Resource) -> Found:
        own = resource.values
        return parts.log_group(self.place, own["name"], own.get("retention_in_days"), own["tags_all"])


def _peers(entry: Mapping[str, Any]) -> Iterator[str]:
    """Who a rule is about, in any of the provider's three ways to write one."""
    for name in (
        "cidr_ipv4",
        "cidr_ipv6",
        "referenced_security_group_id",
        "prefix_list_id",
        "source_security_group_id",
    ):
        if entry.get(name):
            yield entry[name]
    for name in ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups"):
        yield from entry.get(name) or []


def _rule(entry: Mapping[str, Any], peer: str, protocol: str = "protocol") -> dict[str, Any]:
    return parts.rule(entry[protocol], entry.get("from_port"), entry.get("to_port"), peer)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
