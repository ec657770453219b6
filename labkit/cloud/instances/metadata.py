"""The instance metadata service (IMDS) of one instance, as a WSGI application.

What belongs here: tokens, the tree of metadata, the role's credentials. What does not: which socket it
is served on. That socket lies inside the instance's network namespace, so a request can't come from
anywhere else, and the answer can't be about anybody else.

AWS: EC2, "Use IMDS" and "Instance metadata categories"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html#instancedata-data-categories).
"""

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from labkit.aws.records import Credentials, InstanceRecord
from labkit.cloud.ports import CredentialIssuer, NotTrusted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOST_TOKEN_SECONDS = 21600
CREDENTIAL_SECONDS = 21600
#: AWS makes new credentials available at least five minutes before the old ones expire
_REFRESH_BEFORE = 600.0
_VERSIONS = ("1.0", "2007-01-19", "2009-04-04", "2016-09-02", "2019-10-01", "2021-03-23", "latest")
_SERVICE = "ec2.amazonaws.com"
_TTL = "HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS"
_TOKEN = "HTTP_X_AWS_EC2_METADATA_TOKEN"

#: a folder of the tree: name → a value, or another folder
Tree = Mapping[str, "str | Tree"]


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        self.status = status


class MetadataService:
    """Answers one instance. `record` gives its current description at each request.

    `clock` gives seconds since the epoch; `asked` is told the path and query of each request. Safe to call from many threads.
    """

    def __init__(
        self,
        record: Callable[[], InstanceRecord],
        credentials: CredentialIssuer,
        *,
        clock: Callable[[], float] = time.time,
        asked: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._record, self._issuer, self._clock, self._asked = record, credentials, clock, asked
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._held: tuple[str, Credentials, float] | None = None
        self._launched = clock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        self._asked(f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}")
        try:
            body, kind, more = self._answer(environ)
            status = HTTPStatus.OK
        except _Refused as refused:
            status, kind, more = refused.status, "text/html", []
            body = _page(refused.status)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Server", "EC2ws"), *more]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    # -- requests ---------------------------------------------------------------------------------------

    def _answer(self, environ: "WSGIEnvironment") -> tuple[bytes, str, list[tuple[str, str]]]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        if method == "PUT":
            return self._put(path, environ)
        if method not in ("GET", "HEAD"):
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        self._check_token(environ)
        kind = "application/json" if path.endswith("/document") else "text/plain"
        return self._get(path), kind, []

    def _put(self, path: str, environ: "WSGIEnvironment") -> tuple[bytes, str, list[tuple[str, str]]]:
        """A session token. Refused when the request came through a proxy (X-Forwarded-For)."""
        if path.rstrip("/") != "/latest/api/token":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        if "HTTP_X_FORWARDED_FOR" in environ:
            raise _Refused(HTTPStatus.FORBIDDEN)
        text = environ.get(_TTL, "")
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_TOKEN_SECONDS):
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return (
            self._new_token(int(text)).encode(),
            "text/plain",
            [("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", text)],
        )

    def _check_token(self, environ: "WSGIEnvironment") -> None:
        token = environ.get(_TOKEN)
        if token is None:
            if self._record().imds_tokens == "required":
                raise _Refused(HTTPStatus.UNAUTHORIZED)
        elif not self._valid(token):
            raise _Refused(HTTPStatus.UNAUTHORIZED)

    def _new_token(self, seconds: int) -> str:
        """A token that only this instance accepts, until it expires."""
        expires = f"{int(self._clock()) + seconds:x}.{secrets.token_urlsafe(9)}"
        return f"{expires}.{self._signature(expires)}"

    def _valid(self, token: str) -> bool:
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return False
        return int(content.partition(".")[0], 16) >= self._clock()

    def _signature(self, content: str) -> str:
        return hmac.new(self._key, content.encode(errors="replace"), "sha256").hexdigest()[:32]

    # -- the tree ---------------------------------------------------------------------------------------

    def _get(self, path: str) -> bytes:
        parts = [part for part in path.split("/") if part]
        if not parts:
            return "\n".join(_VERSIONS).encode()
        if parts[0] not in _VERSIONS:
            raise _Refused(HTTPStatus.NOT_FOUND)
        if parts[1:] == ["user-data"]:
            return self._user_data()
        if len(parts) == 1:
            return b"dynamic\nmeta-data" + (b"\nuser-data" if self._record().user_data else b"")
        roots: dict[str, Callable[[], Tree]] = {"meta-data": self._metadata, "dynamic": self._dynamic}
        if parts[1] not in roots:
            raise _Refused(HTTPStatus.NOT_FOUND)
        return _look_up(roots[parts[1]](), parts[2:]).encode()

    def _user_data(self) -> bytes:
        data = self._record().user_data
        if not data:
            raise _Refused(HTTPStatus.NOT_FOUND)
        return data

    def _metadata(self) -> Tree:
        record = self._record()
        tree: dict[str, str | Tree] = {
            "ami-id": record.image_id,
            "ami-launch-index": "0",
            "ami-manifest-path": "(unknown)",
            "hostname": private_name(record),
            "instance-action": "none",
            "instance-id": record.instance_id,
            "instance-life-cycle": "on-demand",
            "instance-type": record.instance_type,
            "local-hostname": private_name(record),
            "local-ipv4": record.private_ip,
            "mac": record.mac,
            "network": {"interfaces": {"macs": {record.mac: _interface(record)}}},
            "placement": _placement(record),
            "profile": "default-hvm",
            **_keys(record),
            "reservation-id": "r-" + record.instance_id.removeprefix("i-"),
            "security-groups": "\n".join(record.security_group_ids),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            **_public(record),
        }
        if record.profile_arn:
            tree["iam"] = self._iam(record)
        if record.tags and record.metadata_tags:
            tree["tags"] = {"instance": dict(record.tags)}
        return tree

    def _dynamic(self) -> Tree:
        record = self._record()
        document = {
            "accountId": record.account_id,
            "architecture": "x86_64",
            "availabilityZone": record.availability_zone,
            "billingProducts": None,
            "devpayProductCodes": None,
            "marketplaceProductCodes": None,
            "imageId": record.image_id,
            "instanceId": record.instance_id,
            "instanceType": record.instance_type,
            "kernelId": None,
            "pendingTime": _stamp(self._launched),
            "privateIp": record.private_ip,
            "ramdiskId": None,
            "region": record.region,
            "version": "2017-09-30",
        }
        return {"instance-identity": {"document": json.dumps(document, indent=2)}}

    # -- the role ---------------------------------------------------------------------------------------

    def _iam(self, record: InstanceRecord) -> Tree:
        info = {
            "Code": "Success",
            "LastUpdated": _stamp(self._launched),
            "InstanceProfileArn": record.profile_arn,
            "InstanceProfileId": "AIPA" + record.instance_id.removeprefix("i-").upper()[:17],
        }
        tree: dict[str, str | Tree] = {"info": json.dumps(info, indent=2)}
        if record.role_arn:
            name = record.role_arn.rpartition("/")[2]
            tree["security-credentials"] = _Late({name: lambda: self._credentials(record)})
        return tree

    def _credentials(self, record: InstanceRecord) -> str:
        """The role's credentials in AWS's JSON; the same until shortly before they expire."""
        with self._lock:
            now = self._clock()
            held = self._held
            if held is None or held[0] != record.role_arn or held[1].expires_at - now < _REFRESH_BEFORE:
                try:
                    issued = self._issuer.issue(
                        record.role_arn, record.instance_id, seconds=CREDENTIAL_SECONDS, service=_SERVICE
                    )
                except NotTrusted:
                    return self._unauthorized(record)
                held = self._held = (record.role_arn, issued, now)
        _, credentials, updated = held
        answer = {
            "Code": "Success",
            "LastUpdated": _stamp(updated),
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.session_token,
            "Expiration": _stamp(credentials.expires_at),
        }
        return json.dumps(answer, indent=2)

    def _unauthorized(self, record: InstanceRecord) -> str:
        """What stands in the credentials' place when the role's trust policy does not name EC2.

        AWS: as seen in https://github.com/aws/aws-cli/issues/2060.
        """
        name = record.role_arn.rpartition("/")[2]
        answer = {
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": f"EC2 cannot assume the role {name}. Please see documentation at "
            "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html"
            "#troubleshoot_iam-ec2_errors-info-doc.",
            "LastUpdated": _stamp(self._clock()),
        }
        return json.dumps(answer, indent=2)


class _Late(dict[str, Any]):
    """A folder whose values are made when they are asked for."""

    def __getitem__(self, name: str) -> str:
        return str(super().__getitem__(name)())


class _Keys(dict[str, Any]):
    """The folder of keys, which lists them by number and name."""

    def __init__(self, keys: Mapping[str, Tree], name: str) -> None:
        super().__init__(keys)
        self.listing = "\n".join(f"{number}={name}" for number in keys)


def _look_up(tree: Tree, parts: list[str]) -> str:
    """A value, or a listing with "/" behind folders."""
    node: str | Tree = tree
    for part in parts:
        if isinstance(node, str) or part not in node:
            raise _Refused(HTTPStatus.NOT_FOUND)
        node = node[part]
    if isinstance(node, str):
        return node
    if isinstance(node, _Keys):
        return node.listing
    if isinstance(node, _Late):
        return "\n".join(sorted(node))
    return "\n".join(f"{name}/" if isinstance(node[name], Mapping) else name for name in sorted(node))


def _interface(record: InstanceRecord) -> Tree:
    return {
        "device-number": "0",
        "interface-id": "eni-" + record.instance_id.removeprefix("i-"),
        "local-hostname": private_name(record),
        "local-ipv4s": record.private_ip,
        "mac": record.mac,
        "owner-id": record.account_id,
        "security-group-ids": "\n".join(record.security_group_ids),
        "security-groups": "\n".join(record.security_group_ids),
        "subnet-id": record.subnet_id,
        "vpc-id": record.vpc_id,
        **({"public-ipv4s": record.public_ip} if record.public_ip else {}),
    }


def _placement(record: InstanceRecord) -> Tree:
    return {
        "availability-zone": record.availability_zone,
        "availability-zone-id": record.region + "-az1",
        "region": record.region,
    }


def _keys(record: InstanceRecord) -> Tree:
    """The key pair. Its listing is the one that has "number=name" and no "/"."""
    if not record.public_key:
        return {}
    return {"public-keys": _Keys({"0": {"openssh-key": f"{record.public_key}\n"}}, record.key_name)}


def _public(record: InstanceRecord) -> Tree:
    if not record.public_ip:
        return {}
    label = "ec2-" + record.public_ip.replace(".", "-")
    domain = "compute-1" if record.region == "us-east-1" else f"{record.region}.compute"
    return {"public-hostname": f"{label}.{domain}.amazonaws.com", "public-ipv4": record.public_ip}


def private_name(record: InstanceRecord) -> str:
    """The private DNS name that EC2 gives (IP-based naming).

    AWS: EC2, "Amazon EC2 instance hostname types"
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html).
    """
    domain = "ec2.internal" if record.region == "us-east-1" else f"{record.region}.compute.internal"
    return f"ip-{record.private_ip.replace('.', '-')}.{domain}"


def _stamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(status: HTTPStatus) -> bytes:
    title = f"{status.value} - {status.phrase}"
    return (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    ).encode()
