"""What a CloudFormation template states, in the inventory's normal form.

What belongs here: from resource types and properties to parts. What does not: the template's language (labkit.deploy.template).
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.templates.intrinsics import NO_VALUE
from labkit.deploy.inventory import Found, Inventory, by_role, plain_tags
from labkit.deploy.stated import parts
from labkit.deploy.stated.parts import Place
from labkit.deploy.template import defaults, environment, load, resolve

#: stand for the private and the public address that an instance will get
ADDRESS, PUBLIC = "192.0.2.1", "192.0.2.2"
_NAMED = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Lambda::Function": "FunctionName",
}
_IDS = {
    "AWS::EC2::VPC": "vpc",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::InternetGateway": "igw",
    "AWS::EC2::RouteTable": "rtb",
    "AWS::EC2::SecurityGroup": "sg",
    "AWS::EC2::Instance": "i",
}
#: types that are a part of something else here
_PARTS = {
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::S3::BucketPolicy",
    "AWS::IAM::Policy",
}


@dataclass(frozen=True)
class Outside:
    """What a template asks of the account: its zones, and values of SSM parameters by name."""

    zones: tuple[str, ...]
    ssm: Mapping[str, str]


def read(text: str, place: Place, outside: Outside, tags: Mapping[str, str]) -> Inventory:
    """The template `text`, with the defaults of its parameters and the stack's own `tags`.

    Raises DeployError for what can't be resolved before anything exists.
    """
    reader = _Reader(load(text), place, outside, tags)
    return by_role(list(reader.found()))


def ssm_parameters(text: str) -> list[str]:
    """Names of the SSM parameters that the template's parameters stand for by default."""
    parameters = load(text).get("Parameters") or {}
    return [str(about.get("Default", "")) for about in parameters.values() if _is_ssm(about)]


def _is_ssm(about: Mapping[str, Any]) -> bool:
    return str(about.get("Type", "")).startswith("AWS::SSM::Parameter::Value<")


class _Reader:
    def __init__(
        self, data: Mapping[str, Any], place: Place, outside: Outside, tags: Mapping[str, str]
    ) -> None:
        self._place, self._stack_tags = place, tags
        self._known = environment(data, _parameters(data, place, outside), self.physical, outside.zones)
        self._declared: dict[str, Mapping[str, Any]] = {
            name: about
            for name, about in data["Resources"].items()
            if "Condition" not in about or self._known.conditions[about["Condition"]]
        }

    def found(self) -> Iterator[Found]:
        """Every resource that is a thing of its own."""
        makers = {
            "AWS::EC2::VPC": self._vpc, "AWS::EC2::Subnet": self._subnet,
            "AWS::EC2::InternetGateway": self._gateway, "AWS::EC2::RouteTable": self._route_table,
            "AWS::EC2::SecurityGroup": self._security_group, "AWS::S3::Bucket": self._bucket,
            "AWS::DynamoDB::Table": self._table, "AWS::IAM::Role": self._role,
            "AWS::IAM::InstanceProfile": self._profile, "AWS::EC2::Instance": self._instance,
            "AWS::Lambda::Function": self._function, "AWS::Logs::LogGroup": self._log_group,
        }  # fmt: skip
        for logical, about in self._declared.items():
            kind = about["Type"]
            if kind in makers:
                yield makers[kind](logical, self._properties(logical))
            elif kind not in _PARTS:
                yield parts.other(kind, logical)

    # -- references ------------------------------------------------------------------------------------

    def physical(self, logical: str, attribute: str) -> Any:
        """What Ref ("") or GetAtt of a resource gives."""
        if logical not in self._declared:
            return NO_VALUE  # made under a condition that does not hold
        kind = self._declared[logical]["Type"]
        if kind in _IDS:
            ident = parts.identifier(_IDS[kind], logical)
            return {"": ident, "PrivateIp": ADDRESS, "PublicIp": PUBLIC}.get(attribute, ident)
        name = str(
            resolve(
                (self._declared[logical].get("Properties") or {}).get(_NAMED.get(kind, ""), logical),
                self._known,
            )
        )
        return self._arn(kind, name) if attribute == "Arn" else name

    def _arn(self, kind: str, name: str) -> str:
        place = self._place
        return {
            "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
            "AWS::IAM::Role": place.identity("role", name),
            "AWS::DynamoDB::Table": place.arn("dynamodb", f"table/{name}"),
            "AWS::IAM::InstanceProfile": place.identity("instance-profile", name),
            "AWS::Logs::LogGroup": place.arn("logs", f"log-group:{name}:*"),
            "AWS::Lambda::Function": place.arn("lambda", f"function:{name}"),
        }[kind]

    def _properties(self, logical: str) -> dict[str, Any]:
        found: dict[str, Any] = resolve(self._declared[logical].get("Properties") or {}, self._known)
        return found

    def _of_type(self, kind: str) -> list[dict[str, Any]]:
        return [self._properties(name) for name, about in self._declared.items() if about["Type"] == kind]

    def _tags(self, own: Mapping[str, Any]) -> dict[str, str]:
        return {**self._stack_tags, **{k: str(v) for k, v in plain_tags(own.get("Tags")).items()}}

    # -- network ---------------------------------------------------------------------------------------

    def _vpc(self, logical: str, own: dict[str, Any]) -> Found:
        return parts.vpc(
            self._place,
            self.physical(logical, ""),
            own["CidrBlock"],
            self._tags(own),
            tenancy=own.get("InstanceTenancy"),
            dns_support=own.get("EnableDnsSupport"),
            dns_hostnames=own.get("EnableDnsHostnames"),
        )

    def _subnet(self, logical: str, own: dict[str, Any]) -> Found:
        return parts.subnet(
            self._place,
            self.physical(logical, ""),
            own["VpcId"],
            own["CidrBlock"],
            self._tags(own),
            zone=own.get("AvailabilityZone"),
            public=own.get("MapPublicIpOnLaunch"),
        )

    def _gateway(self, logical: str, own: dict[str, Any]) -> Found:
        ident = self.physical(logical, "")
        joined = self._of_type("AWS::EC2::VPCGatewayAttachment")
        attached = [each["VpcId"] for each in joined if each.get("InternetGatewayId") == ident]
        return parts.gateway(self._place, ident, attached, self._tags(own))

    def _route_table(self, logical: str, own: dict[str, Any]) -> Found:
        ident = self.physical(logical, "")
        routes = [
            (each["DestinationCidrBlock"], each.get("GatewayId") or each.get("NatGatewayId") or "")
            for each in self._of_type("AWS::EC2::Route")
            if each["RouteTableId"] == ident
        ]
        joined = self._of_type("AWS::EC2::SubnetRouteTableAssociation")
        subnets = [each["SubnetId"] for each in joined if each["RouteTableId"] == ident]
        local = next(
            self._properties(name)["CidrBlock"]
            for name in self._declared
            if self.physical(name, "") == own["VpcId"]
        )
        return parts.route_table(self._place, ident, own["VpcId"], local, routes, subnets, self._tags(own))

    def _security_group(self, logical: str, own: dict[str, Any]) -> Found:
        ident = self.physical(logical, "")
        way_in = [*own.get("SecurityGroupIngress", []), *self._apart("Ingress", ident)]
        way_out = [*own.get("SecurityGroupEgress", []), *self._apart("Egress", ident)]
        rules = (
            [_rule(each) for each in way_in],
            [_rule(each) for each in way_out] or [parts.rule("-1", None, None, "0.0.0.0/0")],
        )
        return parts.security_group(
            self._place,
            ident,
            own["GroupName"],
            own["GroupDescription"],
            own["VpcId"],
            rules,
            self._tags(own),
        )

    def _apart(self, way: str, group: str) -> list[dict[str, Any]]:
        return [r for r in self._of_type(f"AWS::EC2::SecurityGroup{way}") if r.get("GroupId") == group]

    # -- storage, roles ----------------------------------------------------------------------------------

    def _bucket(self, _: str, own: dict[str, Any]) -> Found:
        encryption = own.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        policies = self._of_type("AWS::S3::BucketPolicy")
        return parts.bucket(
            own["BucketName"],
            self._tags(own),
            versioning=own.get("VersioningConfiguration", {}).get("Status"),
            blocks=own.get("PublicAccessBlockConfiguration"),
            encryption=[rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in encryption],
            policy=next((p["PolicyDocument"] for p in policies if p["Bucket"] == own["BucketName"]), None),
        )

    def _table(self, _: str, own: dict[str, Any]) -> Found:
        indexes = [index["IndexName"] for index in own.get("GlobalSecondaryIndexes", [])]
        return parts.table(
            self._place,
            own["TableName"],
            own["KeySchema"],
            own["AttributeDefinitions"],
            own.get("BillingMode"),
            indexes,
            self._tags(own),
        )

    def _role(self, _: str, own: dict[str, Any]) -> Found:
        apart = [p for p in self._of_type("AWS::IAM::Policy") if own["RoleName"] in p.get("Roles", [])]
        policies = {p["PolicyName"]: p["PolicyDocument"] for p in [*own.get("Policies", []), *apart]}
        return parts.role(
            self._place,
            own["RoleName"],
            own["AssumeRolePolicyDocument"],
            policies,
            own.get("ManagedPolicyArns", []),
            self._tags(own),
        )

    def _profile(self, _: str, own: dict[str, Any]) -> Found:
        return parts.profile(self._place, own["InstanceProfileName"], own["Roles"])

    # -- server, function, logs ----------------------------------------------------------------------------

    def _instance(self, logical: str, own: dict[str, Any]) -> Found:
        link = (own.get("NetworkInterfaces") or [{}])[0]
        subnet = link.get("SubnetId") or own.get("SubnetId")
        network = next(self._properties(name) for name in self._declared if self.physical(name, "") == subnet)
        public = link.get("AssociatePublicIpAddress", network.get("MapPublicIpOnLaunch"))
        profile = own.get("IamInstanceProfile")
        return parts.instance(
            self._place, self.physical(logical, ""), ADDRESS, self._tags(own),
            image=own["ImageId"], type=own["InstanceType"], subnet=subnet, network=network["VpcId"],
            groups=link.get("GroupSet") or own.get("SecurityGroupIds") or [],
            profile=self._place.identity("instance-profile", profile) if profile else None,
            tokens=own.get("MetadataOptions", {}).get("HttpTokens"), public=parts.is_true(public, False),
            user_data=_decoded(own.get("UserData")),
        )  # fmt: skip

    def _function(self, _: str, own: dict[str, Any]) -> Found:
        network = own.get("VpcConfig", {})
        return parts.function(
            self._place, own["FunctionName"], self._tags(own), description=own.get("Description"),
            runtime=own["Runtime"], timeout=own.get("Timeout"), memory=own.get("MemorySize"), role=own["Role"],
            variables=own.get("Environment", {}).get("Variables"), subnets=network.get("SubnetIds"),
            groups=network.get("SecurityGroupIds"), handler=own["Handler"],
            module=module_hash(own["Code"].get("ZipFile", "")),
        )  # fmt: skip

    def _log_group(self, _: str, own: dict[str, Any]) -> Found:
        return parts.log_group(self._place, own["LogGroupName"], own.get("RetentionInDays"), self._tags(own))


def module_hash(text: str) -> str:
    """What stands for a function's code: its main module's text, which a zip and an inline template share."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _decoded(user_data: str | None) -> str | None:
    """As EC2 decodes it; what is no base64 stays as it is, and EC2 will refuse it."""
    try:
        return user_data and base64.b64decode(user_data, validate=True).decode()
    except ValueError:
        return user_data


def _rule(own: Mapping[str, Any]) -> dict[str, Any]:
    peers = (
        "CidrIp",
        "CidrIpv6",
        "SourceSecurityGroupId",
        "DestinationSecurityGroupId",
        "SourcePrefixListId",
    )
    peer = next((own[name] for name in peers if name in own), "")
    return parts.rule(own["IpProtocol"], own.get("FromPort"), own.get("ToPort"), peer)


def _parameters(data: Mapping[str, Any], place: Place, outside: Outside) -> dict[str, Any]:
    values: dict[str, Any] = {
        "AWS::Region": place.region,
        "AWS::AccountId": place.account,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": place.prefix,
    }
    for name, default in defaults(data).items():
        values[name] = outside.ssm[default] if _is_ssm(data["Parameters"][name]) else default
    return values
