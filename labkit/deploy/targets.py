"""Where a lab is deployed to: an endpoint, a region and credentials, as clients and as environment.

What belongs here: the record and how AWS clients are made from it. What does not: starting the local
cloud (labkit.cloud.client.lifecycle), or what is deployed (labkit.deploy).
"""

import difflib
import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from labkit.aws.services import ClientsLoader, descriptions
from labkit.base.errors import UsageError


@dataclass(frozen=True)
class Keys:
    """Somebody's credentials. `token` "" where there is none.

    `ends`: when a session's keys expire, in seconds since the epoch; None: never, or nobody knows.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    ends: float | None = None

    def environment(self) -> Mapping[str, str]:
        """Variables that make the AWS CLI, boto3 and Terraform sign with these keys."""
        named = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.token,
        }
        return {name: value for name, value in named.items() if value}


#: nobody: requests are not signed
ANONYMOUS = Keys("", "")


#: AWS itself as the kit knows it: any account, and an AWS Academy Learner Lab
ON_AWS = ("aws", "learner-lab")
NAMES = ("local", *ON_AWS)


@dataclass(frozen=True)
class Target:
    """One place to deploy to. `endpoint_url` "" is AWS itself, found as boto3 finds it.

    `owner`: the credentials of the local cloud's account (control_client.Endpoint.target); on AWS boto3 finds them.
    """

    name: str
    region: str
    endpoint_url: str = ""
    owner: Keys = ANONYMOUS

    @property
    def is_local(self) -> bool:
        """Whether this is the local cloud."""
        return self.name == "local"

    def environment(self) -> Mapping[str, str]:
        """Variables that point the AWS CLI, boto3 and Terraform at this target."""
        if not self.is_local:
            return {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            **self.owner.environment(),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }


def aws(region: str, name: str = "aws") -> Target:
    """AWS itself, in this region, known as one of ON_AWS. Raises UsageError for a region that AWS does not have."""
    if region not in regions():
        near = ", ".join(difflib.get_close_matches(region, sorted(regions()), 3)) or "us-east-1, eu-west-1"
        raise UsageError(f"AWS has no region {region}.", hint=f"Regions are called, for example: {near}")
    return Target(name, region)


#: AWS throttles, and loses answers (SDKs and tools reference guide, "Retry behavior": standard)
_PATIENT: Final[Any] = {"mode": "standard", "max_attempts": 6}


#: a session makes one client at a time
_MAKING: Final = threading.RLock()


@functools.cache
def _bare_session() -> Any:
    """One session for all whose keys are given; it knows no keys, no settings and no profile of this machine.

    To make one costs as much as many clients; what is registered with a client stays with that client.
    """
    import boto3
    import botocore.session

    core = botocore.session.Session(
        {"config_file": (None, None, None, None), "profile": (None, None, None, None)}
    )
    core.register_component("data_loader", ClientsLoader())
    return boto3.session.Session(botocore_session=core)


@dataclass(frozen=True)
class Clients:
    """boto3 clients of a target, each made once, at first use. For any thread.

    `keys`: whose they are; None is the owner of the local cloud's account, or whoever boto3 finds on AWS.
    """

    target: Target
    keys: Keys | None = None

    @property
    def _signer(self) -> Keys | None:
        """Whose keys sign; None: those that boto3 finds."""
        return self.keys or (self.target.owner if self.target.is_local else None)

    @functools.cached_property
    def _make(self) -> Any:
        """Makes a client, signed for whoever these are."""
        keys = self._signer
        if keys is None:
            import boto3

            return boto3.session.Session(region_name=self.target.region).client
        return functools.partial(
            _bare_session().client,
            region_name=self.target.region,
            aws_access_key_id=keys.access_key_id or None,
            aws_secret_access_key=keys.secret_access_key or None,
            aws_session_token=keys.token or None,
        )

    @functools.cached_property
    def _made(self) -> dict[tuple[str, float], Any]:
        return {}

    def client(self, service: str, *, read_timeout: float = 60) -> Any:
        """The client of one AWS service; `read_timeout` in seconds."""
        key = (service, read_timeout)
        with _MAKING:
            if key not in self._made:
                self._made[key] = self._make(
                    service, endpoint_url=self.target.endpoint_url or None, config=self._config(read_timeout)
                )
            return self._made[key]

    def presigner(self) -> Any:
        """A client of S3 whose presigned URLs name bucket and region, and are good with a session's keys.

        S3 user guide, "Sharing objects with presigned URLs", "Virtual hosting of buckets".
        """
        from botocore.config import Config

        config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
        where = self.target.endpoint_url or f"https://s3.{self.target.region}.amazonaws.com"
        with _MAKING:
            return self._make("s3", endpoint_url=where, config=config)

    def _config(self, read_timeout: float) -> Any:
        from botocore import UNSIGNED
        from botocore.config import Config

        return Config(
            read_timeout=read_timeout,
            retries={"max_attempts": 1} if self.target.is_local else _PATIENT,
            proxies={} if self.target.is_local else None,
            max_pool_connections=32,
            signature_version=UNSIGNED if self._signer == ANONYMOUS else None,
        )


@functools.cache
def regions() -> frozenset[str]:
    """Every region of AWS, in all its partitions, as botocore knows them."""
    parts = endpoints().get_available_partitions()
    return frozenset(name for part in parts for name in endpoints().get_available_endpoints("ec2", part))


@functools.cache
def endpoints() -> Any:
    """Botocore's resolver: partitions, and in which regions each service is."""
    from botocore.regions import EndpointResolver

    return EndpointResolver(descriptions().load_data("endpoints"))
