"""Access control lists: off, as in every bucket made since 2023, until a bucket's owner switches them on.

There is one account here, so a grant means somebody only where it is to everybody, or to everybody who signs.

What belongs here: reading and telling ACLs, and what they mean as a policy. What does not: deciding.
S3 user guide: "Access control list (ACL) overview", "Controlling ownership of objects".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.cloud.stores.s3.engine import Call, Engine, Reply
from labkit.cloud.stores.s3.storage import Version
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, malformed_xml

ENFORCED = "BucketOwnerEnforced"
_GROUPS = "http://acs.amazonaws.com/groups/"
EVERYBODY, SIGNED, LOGS = (
    f"{_GROUPS}global/AllUsers",
    f"{_GROUPS}global/AuthenticatedUsers",
    f"{_GROUPS}s3/LogDelivery",
)
_CANNED: Mapping[str, Sequence[tuple[str, str]]] = {
    "private": (),
    "bucket-owner-full-control": (),
    "bucket-owner-read": (),
    "aws-exec-read": (),
    "public-read": ((EVERYBODY, "READ"),),
    "public-read-write": ((EVERYBODY, "READ"), (EVERYBODY, "WRITE")),
    "authenticated-read": ((SIGNED, "READ"),),
    "log-delivery-write": ((LOGS, "WRITE"), (LOGS, "READ_ACP")),
}
_HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_OF_BUCKET = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": ("s3:PutObject", "s3:DeleteObject"),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
_OF_OBJECT = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion"),
    "READ_ACP": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "WRITE_ACP": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
}
Grants = list[list[str]]


def ownership(engine: Engine, bucket: str) -> str:
    """Who owns what is in a bucket: BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter."""
    found = engine.storage.setting(bucket, "ownership")
    return str(found["Rules"][0]["ObjectOwnership"]) if found else "ObjectWriter"


def of_request(engine: Engine, call: Call, *, switched_on: bool | None = None) -> Grants:
    """The grants in the headers of a request, [] where it says nothing. Raises S3Error where the bucket takes none.

    A canned ACL gives the owner full control too, named grants are all there is.

    `switched_on`: whether ACLs are, for a bucket that is being made.
    """
    given = call.input
    canned, named = given.get("ACL"), {name: given[name] for name in _HEADERS if given.get(name)}
    if canned is None and not named:
        return []
    if canned is not None and canned not in _CANNED:
        raise invalid_argument("", "x-amz-acl", str(canned))
    on = ownership(engine, call.bucket) != ENFORCED if switched_on is None else switched_on
    if not on:
        if not named and canned in ("private", "bucket-owner-full-control"):
            return []
        code = (
            "AccessControlListNotSupported" if switched_on is None else "InvalidBucketAclWithObjectOwnership"
        )
        raise S3Error(code)
    if canned is not None and named:
        raise S3Error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    grants = [*_default(engine), *map(list, _CANNED[canned])] if canned else _named(engine, named)
    _check_block(engine, call.bucket, grants)
    return grants


def _default(engine: Engine) -> Grants:
    return [[engine.owner["ID"], "FULL_CONTROL"]]


def _named(engine: Engine, named: Mapping[str, str]) -> Grants:
    grants: Grants = []
    for header, text in named.items():
        for each in text.split(","):
            kind, _, who = each.strip().partition("=")
            grants.append([_grantee(engine, kind.strip(), who.strip().strip('"')), _HEADERS[header]])
    return grants


def _grantee(engine: Engine, kind: str, who: str) -> str:
    if kind == "uri" and who in (EVERYBODY, SIGNED, LOGS):
        return who
    if kind == "uri":
        raise invalid_argument("Invalid group uri", "uri", who)
    if kind == "id" and who == engine.owner["ID"]:
        return who
    if kind == "id":
        raise invalid_argument("Invalid id", "CanonicalUser/ID", who)
    if kind == "emailAddress":
        words = "The e-mail address you provided does not match any account on record."
        raise S3Error("UnresolvableGrantByEmailAddress", words)
    raise invalid_argument("Argument format not recognized")


def _check_block(engine: Engine, bucket: str, grants: Grants) -> None:
    """BlockPublicAcls refuses grants to everybody (S3: "Blocking public access")."""
    block = engine.storage.setting(bucket, "public_access_block") or {}
    if block.get("BlockPublicAcls") and any(who in (EVERYBODY, SIGNED) for who, _ in grants):
        raise S3Error("AccessDenied", "Access Denied", status=403)


def _document(engine: Engine, policy: Mapping[str, Any]) -> Grants:
    grants: Grants = []
    if policy.get("Owner", {}).get("ID", engine.owner["ID"]) != engine.owner["ID"]:
        raise S3Error("AccessDenied", "Access Denied", status=403)
    for grant in policy.get("Grants", []):
        grantee = grant.get("Grantee") or {}
        kind = {"Group": "uri", "CanonicalUser": "id", "AmazonCustomerByEmail": "emailAddress"}.get(
            grantee.get("Type", "")
        )
        if kind is None or "Permission" not in grant:
            raise malformed_xml()
        who = {"uri": "URI", "id": "ID", "emailAddress": "EmailAddress"}[kind]
        grants.append([_grantee(engine, kind, str(grantee.get(who, ""))), grant["Permission"]])
    return grants


def _told(engine: Engine, grants: Grants) -> Reply:
    own, told = {"Type": "CanonicalUser", **engine.owner}, []
    for who, what in grants:
        grantee = own if who == own["ID"] else {"Type": "Group", "URI": who}
        told.append({"Grantee": grantee, "Permission": what})
    return Reply({"Owner": engine.owner, "Grants": told})


def get_bucket_acl(engine: Engine, call: Call) -> Reply:
    """GetBucketAcl."""
    engine.bucket(call)
    return _told(engine, _in_force(engine, call.bucket, engine.storage.setting(call.bucket, "acl")))


def get_object_acl(engine: Engine, call: Call) -> Reply:
    """GetObjectAcl."""
    return _told(engine, _in_force(engine, call.bucket, engine.object(call).facts.get("acl")))


def _in_force(engine: Engine, bucket: str, grants: Grants | None) -> Grants:
    """What holds: an ACL without grants is one, none at all is the owner's full control."""
    on = ownership(engine, bucket) != ENFORCED
    return grants if on and grants is not None else _default(engine)


def _new(engine: Engine, call: Call) -> Grants:
    """The grants that a request puts, from its headers or its document."""
    policy = call.input.get("AccessControlPolicy")
    if policy is None:
        if call.input.get("ACL") is None and not any(call.input.get(name) for name in _HEADERS):
            raise S3Error("MissingSecurityHeader", "Your request was missing a required header")
        return of_request(engine, call) or _default(engine)
    if ownership(engine, call.bucket) == ENFORCED:
        _check_harmless(engine, policy)
        return _default(engine)
    grants = _document(engine, policy)
    _check_block(engine, call.bucket, grants)
    return grants


def _check_harmless(engine: Engine, policy: Mapping[str, Any]) -> None:
    """With ACLs off, only what holds anyway is taken: full control for the owner."""
    grants = policy.get("Grants", [])
    held = [((each.get("Grantee") or {}).get("ID"), each.get("Permission")) for each in grants]
    if not held or any(each != (engine.owner["ID"], "FULL_CONTROL") for each in held):
        raise S3Error("AccessControlListNotSupported")


def put_bucket_acl(engine: Engine, call: Call) -> Reply:
    """PutBucketAcl."""
    engine.bucket(call)
    engine.storage.put_setting(call.bucket, "acl", _new(engine, call))
    return Reply()


def put_object_acl(engine: Engine, call: Call) -> Reply:
    """PutObjectAcl."""
    version = engine.object(call)
    engine.storage.put_facts(version, {**version.facts, "acl": _new(engine, call)})
    engine.happened("ObjectAcl:Put", version, call)
    return Reply()


def as_policy(engine: Engine, bucket: str, key: str) -> Mapping[str, Any] | None:
    """What the ACLs of a bucket and an object of it allow, as a policy; None where they allow nobody anything.

    IgnorePublicAcls makes them allow nothing.
    """
    block = engine.storage.setting(bucket, "public_access_block") or {}
    if block.get("IgnorePublicAcls") or ownership(engine, bucket) == ENFORCED:
        return None
    arn = f"arn:aws:s3:::{bucket}"
    found = engine.storage.newest(bucket, key) if key else None
    statements = _statements(engine.storage.setting(bucket, "acl") or [], _OF_BUCKET, [arn, f"{arn}/*"])
    statements += _of_object(found, f"{arn}/{key}")
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


def _of_object(found: Version | None, arn: str) -> list[dict[str, Any]]:
    return _statements(found.facts.get("acl") or [], _OF_OBJECT, [arn]) if found is not None else []


def _statements(
    grants: Grants, actions: Mapping[str, Sequence[str]], arns: list[str]
) -> list[dict[str, Any]]:
    every = [action for each in actions.values() for action in each]
    return [
        {
            "Effect": "Allow",
            "Principal": "*" if who == EVERYBODY else {"AWS": "*"},
            "Resource": arns,
            "Action": every if what == "FULL_CONTROL" else list(actions.get(what, ())),
        }
        for who, what in grants
        if who in (EVERYBODY, SIGNED)
    ]
