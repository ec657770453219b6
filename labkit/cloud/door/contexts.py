"""The condition keys of a request, computed only when a policy asks for them.

What belongs here: global keys (aws:…) and those of S3, DynamoDB, IAM and STS. What does not:
comparing them (labkit.aws.iam.conditions). AWS IAM: "AWS global condition context keys".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from labkit.aws.iam.calls import ApiCall
from labkit.aws.iam.dynamodb import leading_keys
from labkit.aws.records import Principal
from labkit.cloud.door import condition_keys
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.reading import Asked, Environ
from labkit.cloud.ports import Facts

_KINDS = {"root": "Account", "user": "User", "session": "AssumedRole", "anonymous": "Anonymous"}
#: condition key → parameter of the request
_PARAMETERS = {
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:versionid": "VersionId",
    "dynamodb:select": "Select",
    "dynamodb:returnvalues": "ReturnValues",
    "iam:policyarn": "PolicyArn",
    "iam:permissionsboundary": "PermissionsBoundary",
    "sts:externalid": "ExternalId",
    "sts:rolesessionname": "RoleSessionName",
    "ec2:attribute/instancetype": "InstanceType.Value",
    "ec2:metadatahttptokens": "MetadataOptions.HttpTokens",
}


@dataclass(frozen=True)
class Source:
    """Everything that condition keys are computed from; `overseen`: no policy is asked (labkit.cloud.door.overseer)."""

    environ: Environ
    asked: Asked
    principal: Principal
    facts: Facts
    secure_transport: bool
    signature: Signature | None
    overseen: bool = False
    #: condition keys that a policy asked for, that AWS has, and that the local cloud lacks
    lacking: set[str] = field(default_factory=set, compare=False)

    @property
    def endpoint(self) -> str:
        """The gateway endpoint that the request came through, "" for none."""
        return _environ(self, "lab.source_vpce")


class RequestContext(Mapping[str, str | tuple[str, ...]]):
    """Condition keys (lower case) of one request; a key that the request does not have is missing."""

    def __init__(self, source: Source, extra: Mapping[str, str]) -> None:
        self._source = source
        self._extra = extra

    def __getitem__(self, key: str) -> str | tuple[str, ...]:
        value = self._extra.get(key) or self._computed(key)
        if not value:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return (key for key in (*self._extra, *_COMPUTED, *_PARAMETERS) if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _computed(self, key: str) -> str | tuple[str, ...] | None:
        compute = _COMPUTED.get(key)
        if compute:
            return compute(self._source)
        if key in _PARAMETERS:
            value = self._source.asked.parameters.get(_PARAMETERS[key])
            return str(value) if value is not None else None
        if key.startswith("s3:x-amz-"):
            return _environ(self._source, "HTTP_" + key[3:].upper().replace("-", "_"))
        return self._of_more_than_the_request(key)

    def _of_more_than_the_request(self, key: str) -> str | None:
        source = self._source
        value = condition_keys.of_session(key, source.principal, source.facts)
        if value is None:
            value = condition_keys.of_resource(key, source.asked, source.facts)
        if value is None and condition_keys.lacking(key):
            source.lacking.add(key)
        return value


def _environ(source: Source, name: str) -> str:
    return str(source.environ.get(name, ""))


def _user_name(source: Source) -> str:
    """Only users have a name; a session has its role's."""
    return source.principal.arn.rpartition("/")[2] if source.principal.kind == "user" else ""


def _principal_arn(source: Source) -> str:
    return source.principal.role_arn or source.principal.arn


def _leading_keys(source: Source) -> tuple[str, ...]:
    asked = source.asked
    table = asked.parameters.get("TableName")
    if not isinstance(table, str):
        items = asked.parameters.get("RequestItems")
        table = next(iter(items), "") if isinstance(items, Mapping) else ""
    key = source.facts.partition_key(asked.region, table.rpartition("/")[2]) if table else None
    call = ApiCall("dynamodb", asked.operation, asked.region, "", asked.parameters)
    return leading_keys(call, key) if key else ()


def _auth_type(source: Source) -> str:
    kinds = {"header": "REST-HEADER", "query": "REST-QUERY-STRING", "form": "POST"}
    return kinds[source.signature.place] if source.signature else ""


def _instance_type(source: Source) -> str:
    """Of an instance that is to run; EC2 runs m1.small where the request names no type."""
    if source.asked.operation != "RunInstances":
        return ""
    return str(source.asked.parameters.get("InstanceType") or "m1.small")


def _market(source: Source) -> str:
    if source.asked.operation != "RunInstances":
        return ""
    return str(source.asked.parameters.get("InstanceMarketOptions.MarketType") or "on-demand")


def _of_volumes(source: Source, alone: str, mapped: str) -> tuple[str, ...]:
    """What CreateVolume, or RunInstances for each of its volumes, says of a volume."""
    parameters = source.asked.parameters
    if source.asked.operation == "CreateVolume":
        return (str(parameters[alone]),) if alone in parameters else ()
    name = re.compile(rf"BlockDeviceMapping\.\d+\.Ebs\.{mapped}").fullmatch
    return tuple(str(value) for key, value in parameters.items() if name(key))


_COMPUTED: dict[str, Callable[[Source], str | tuple[str, ...]]] = {
    "aws:securetransport": lambda s: str(s.secure_transport).lower(),
    "aws:sourceip": lambda s: _environ(s, "REMOTE_ADDR"),
    "aws:sourcevpc": lambda s: _environ(s, "lab.source_vpc"),
    "aws:sourcevpce": lambda s: _environ(s, "lab.source_vpce"),
    "aws:useragent": lambda s: _environ(s, "HTTP_USER_AGENT"),
    "aws:referer": lambda s: _environ(s, "HTTP_REFERER"),
    "aws:currenttime": lambda s: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "aws:epochtime": lambda s: str(int(datetime.now(UTC).timestamp())),
    "aws:requestedregion": lambda s: s.asked.region,
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda s: s.principal.account_id,
    "aws:principaltype": lambda s: _KINDS[s.principal.kind],
    "aws:userid": lambda s: s.principal.user_id,
    "aws:username": _user_name,
    "aws:viaawsservice": lambda s: "false",
    "s3:authtype": _auth_type,
    "s3:signatureversion": lambda s: (
        "AWS" if s.signature and s.signature.version == 2 else "AWS4-HMAC-SHA256"
    ),
    "dynamodb:leadingkeys": _leading_keys,
    "ec2:instancetype": _instance_type,
    "ec2:instancemarkettype": _market,
    "ec2:volumesize": lambda s: _of_volumes(s, "Size", "VolumeSize"),
    "ec2:volumetype": lambda s: _of_volumes(s, "VolumeType", "VolumeType"),
}
