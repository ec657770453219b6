"""Who asks, and whether they may.

What belongs here: from a signature to a principal, and from a call to a decision, with the policies
of callers, buckets and roles. What does not: HTTP answers (refusals, middleware).
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam import Decision, Request, evaluate, passes_endpoint
from labkit.aws.iam.actions import needs
from labkit.aws.iam.calls import ApiCall, Need
from labkit.aws.iam.public import is_public
from labkit.aws.iam.statements import statements
from labkit.aws.records import InstanceRecord, PolicyDocument, Principal
from labkit.cloud.door import refusals
from labkit.cloud.door.contexts import RequestContext, Source
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.reading import PREFLIGHT, Asked, Body, Environ
from labkit.cloud.door.signatures.payloads import unpack
from labkit.cloud.door.signatures.verification import check_scope, verify
from labkit.cloud.ports import Facts, Identities

ANONYMOUS = Principal("anonymous", "*", ACCOUNT_ID)

#: what the account's root may do whatever the bucket's policy says (S3: "Bucket policies for S3")
_ROOTS_OWN = {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}
#: operations of IAM that change a managed policy itself
_CHANGING_POLICIES = {
    *("DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion"),
    *("TagPolicy", "UntagPolicy"),
}
_TEMPLATE = "LaunchTemplate."
_READ_OBJECT = {"GetObject", "HeadObject"}


class NoFacts:
    """Knows nothing about any resource (ports.Facts)."""

    def profile_role(self, profile: str) -> str | None:
        """None."""
        return None

    def iam_path(self, kind: str, name: str) -> str:
        """The root."""
        return "/"

    def launch_template(self, region: str, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def partition_key(self, region: str, table: str) -> str | None:
        """None."""
        return None

    def endpoint_policy(self, endpoint_id: str) -> PolicyDocument | None:
        """None."""
        return None

    def role_tags(self, role_arn: str) -> Mapping[str, str]:
        """None."""
        return {}

    def table_tags(self, region: str, table: str) -> Mapping[str, str]:
        """None."""
        return {}

    def instance(self, instance_id: str) -> InstanceRecord | None:
        """None."""
        return None


class Authority:
    """Answers who asks, and decides what they may."""

    def __init__(self, identities: Identities, facts: Facts) -> None:
        self._identities = identities
        self._facts = facts
        #: action and resource of what callers on this machine needed to be allowed, once for each operation
        self.needed: set[tuple[str, str]] = set()
        self._noted: set[tuple[str, str]] = set()

    def note(self, asked: Asked) -> None:
        """Remember what this call needs, where it is the first of its operation."""
        key = asked.service, asked.operation
        if key not in self._noted:
            self._noted.add(key)
            found = needs(_call_of(asked), self._facts)
            self.needed |= {(need.action, resource) for need in found for resource in need.resources}

    def identify(self, signature: Signature | None, asked: Asked, environ: Environ, body: Body) -> Principal:
        """The principal behind a request. Raises Refused for keys that are unknown, wrong or expired, and for
        signatures that are not genuine, not for here, or not for now.
        """
        if asked.operation == PREFLIGHT:
            return ANONYMOUS  # a browser asks for the page; what a presigned URL signs is the request that follows
        if signature is None:
            if asked.service == "s3":
                unpack(environ)
                return ANONYMOUS
            if asked.operation == "AssumeRoleWithWebIdentity":
                return ANONYMOUS
            raise refusals.missing_key(asked.wire)
        check_scope(signature, asked, environ)
        key = signature.access_key_id
        principal = self._identities.principal(key)
        if principal is None:
            if self._identities.expired(key):
                raise refusals.expired_token(asked.wire, asked.service)
            raise refusals.unknown_key(asked.wire, asked.service)
        if (self._identities.session_token(key) or "") != signature.token:
            raise refusals.invalid_token(asked.wire, asked.service)
        verify(signature, self._identities.secret_key(key) or "", asked, environ, body, time.time())
        return principal

    def check(self, source: Source) -> None:
        """Raises Refused when the call is not allowed."""
        if source.overseen:
            return
        policy = str(source.asked.parameters.get("PolicyArn", ""))
        if source.asked.operation in _CHANGING_POLICIES and policy.startswith("arn:aws:iam::aws:"):
            raise refusals.of_aws(source.principal, f"iam:{source.asked.operation}", policy)
        source = self._with_launch_template(source)
        asked, principal = source.asked, source.principal
        decision = self._decide(source)
        if decision is not None and not decision.allowed:
            if principal.kind == "anonymous" and asked.service == "s3":
                self._check_there(source, decision)
            raise refusals.denied(asked.wire, asked.service, principal, decision)
        if asked.operation == "PutBucketPolicy" and asked.service == "s3":
            self._check_public_policy(source)

    def _check_there(self, source: Source, decision: Decision) -> None:
        """Raises Refused where a stranger was denied what is not there, and may know that.

        S3 API reference, "List of error codes": NoSuchBucket is told to all, NoSuchKey to who may list the bucket.
        """
        asked = source.asked
        bucket, key = str(asked.parameters.get("Bucket", "")), str(asked.parameters.get("Key", ""))
        if bucket and asked.operation != "CreateBucket" and not self._identities.holds(bucket):
            raise refusals.no_bucket(bucket)
        if asked.operation not in _READ_OBJECT or decision.reason == "explicit-deny":
            return
        listing = self._evaluate(source, Need("s3:ListBucket", [f"arn:aws:s3:::{bucket}"]))
        if listing.allowed and not self._identities.holds(bucket, key):
            raise refusals.no_key(key)

    def _with_launch_template(self, source: Source) -> Source:
        """Policies judge RunInstances by what runs: the request's parameters over those of its template."""
        asked = source.asked
        if asked.operation != "RunInstances":
            return source
        wanted = {
            name.removeprefix(_TEMPLATE): str(value)
            for name, value in asked.parameters.items()
            if name.startswith(_TEMPLATE)
        }
        if not wanted:
            return source
        merged = {**self._facts.launch_template(asked.region, wanted), **asked.parameters}
        return replace(source, asked=replace(asked, parameters=merged))

    def check_listing(self, source: Source) -> None:
        """Raises Refused when who reads an object may not know that there is none.

        S3 API reference, GetObject: without s3:ListBucket a missing object is answered with 403.
        """
        if source.asked.operation in _READ_OBJECT and not source.overseen:
            need = Need("s3:ListBucket", [f"arn:aws:s3:::{source.asked.parameters['Bucket']}"])
            decision = self._evaluate(source, need)
            if not decision.allowed:
                raise refusals.denied(source.asked.wire, "s3", source.principal, decision)

    def _decide(self, source: Source) -> Decision | None:
        """The first denial, or an allow; None where nothing had to be decided."""
        asked = source.asked
        if source.principal.kind == "root" and _roots_right(asked):
            return None
        decision: Decision | None = None
        for need in needs(_call_of(asked), self._facts):
            decision = self._evaluate(source, need)
            if not decision.allowed:
                break
        return decision

    def _evaluate(self, source: Source, need: Need) -> Decision:
        principal = source.principal
        trust = need.action == "sts:AssumeRole"
        policies = self._resource_policies(need, trust)
        if principal.kind == "anonymous":
            policies = [policy for policy in policies if not self._restricted(policy, need)]
        request = Request(principal, need.action, need.resources, RequestContext(source, need.context))
        mine = (
            () if principal.kind in ("root", "anonymous") else self._identities.identity_policies(principal)
        )
        boundary = self._identities.boundary(principal)
        decision = evaluate(request, mine, policies, trust=trust, boundary=boundary)
        endpoint = self._facts.endpoint_policy(source.endpoint) if source.endpoint else None
        return passes_endpoint(request, endpoint) if endpoint and decision.allowed else decision

    def _resource_policies(self, need: Need, trust: bool) -> Sequence[PolicyDocument]:
        if trust:
            found = self._identities.trust_policy(need.resources[0])
        elif need.action.startswith("s3:") and need.resources[0] != "*":
            found = self._identities.bucket_policy(_bucket(need))
            listed = self._identities.acl_policy(_bucket(need), need.resources[0].partition("/")[2])
            return [each for each in (found, listed) if each]
        else:
            return ()
        return [found] if found else ()

    def _restricted(self, policy: PolicyDocument, need: Need) -> bool:
        """Whether RestrictPublicBuckets closes a public policy to those outside the account."""
        block = self._identities.public_access_block(_bucket(need))
        return block.restrict_public_buckets and is_public(policy)

    def _check_public_policy(self, source: Source) -> None:
        """BlockPublicPolicy refuses a public policy (S3: "Blocking public access")."""
        bucket = str(source.asked.parameters.get("Bucket", ""))
        policy = source.asked.parameters.get("Policy")
        if (
            not isinstance(policy, bytes)
            or not self._identities.public_access_block(bucket).block_public_policy
        ):
            return
        try:
            document = json.loads(policy)
        except ValueError:
            return  # the service says MalformedPolicy
        if (
            isinstance(document, dict)
            and not _allows_all_but(document)
            and is_public(PolicyDocument(bucket, document))
        ):
            resource = f"arn:aws:s3:::{bucket}"
            message = (
                f"User: {source.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"{resource}" because public policies are prevented by the BlockPublicPolicy setting in S3 '
                "Block Public Access."
            )
            decision = Decision(
                False, "explicit-deny", "resource", "BlockPublicPolicy", "", "s3:PutBucketPolicy", resource
            )
            raise refusals.Refused(403, "AccessDenied", message, decision)


def _call_of(asked: Asked) -> ApiCall:
    return ApiCall(asked.service, asked.operation, asked.region, ACCOUNT_ID, asked.parameters)


def _allows_all_but(document: Mapping[str, object]) -> bool:
    """Whether a statement allows everybody but some, which S3 does not take: it says so itself."""
    found = statements(document)
    return any(each.effect == "Allow" and each.not_principal is not None for each in found)


def _bucket(need: Need) -> str:
    return need.resources[0].removeprefix("arn:aws:s3:::").partition("/")[0]


def _roots_right(asked: Asked) -> bool:
    """Whether no policy can keep the account's root from the call: only buckets and roles can."""
    if asked.service == "s3":
        return asked.operation in _ROOTS_OWN
    return (asked.service, asked.operation) != ("sts", "AssumeRole")
