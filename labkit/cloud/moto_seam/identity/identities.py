"""Who is behind an access key, and the policies on users and roles, out of moto's state.

What belongs here: reading them as plain records. What does not: deciding with them (labkit.aws.iam).
"""

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from labkit.aws.accounts import FULL
from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import PolicyDocument, Principal, PublicAccessBlock
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.identity.late import Documents, Seen
from labkit.cloud.moto_seam.identity.managed_policies import bring
from labkit.cloud.moto_seam.identity.sts_keys import expires_at
from labkit.cloud.pace import AT_HOME, Pace
from labkit.cloud.ports import Buckets
from labkit.deploy.targets import ANONYMOUS, Keys


class MotoIdentities:
    """The users, sessions and policies that moto holds, and those of the buckets (ports.Identities).

    `owner`: the one key that moto does not know, whose holder is `holder`: the account's root user, or who the
    account was given to.
    """

    def __init__(
        self, buckets: Buckets, owner: Keys = ANONYMOUS, holder: Principal = FULL.holder, pace: Pace = AT_HOME
    ) -> None:
        self._buckets, self._owner, self._holder = buckets, owner, holder
        self._seen = Seen(pace, _all_policies, _policies_of)

    def changed(self) -> None:
        """Somebody's policies may have changed; the first time it says what the account begins with."""
        self._seen.changed()

    def principal(self, access_key_id: str) -> Principal | None:
        """Who holds the key; None when it was never given out, is inactive, or has expired."""
        if access_key_id and access_key_id == self._owner.access_key_id:
            return self._holder
        key = backend("iam").access_keys.get(access_key_id)
        if key is None or key.status != "Active":
            return None
        if key.user_name is not None:
            return _user_principal(key)
        return self._session_principal(access_key_id)

    def secret_key(self, access_key_id: str) -> str | None:
        """The secret that signs the key's requests, or None for a key of nobody."""
        if access_key_id and access_key_id == self._owner.access_key_id:
            return self._owner.secret_access_key
        key = backend("iam").access_keys.get(access_key_id)
        return None if key is None else str(key.secret_access_key)

    def session_token(self, access_key_id: str) -> str | None:
        """The token that must come with a session's key; None for keys that need none."""
        session = _session(access_key_id)
        return None if session is None else str(session.session_token)

    def expired(self, access_key_id: str) -> bool:
        """Whether the key is that of a session which has ended (AWS answers ExpiredToken)."""
        session = _session(access_key_id)
        return session is not None and expires_at(session) <= datetime.now(UTC).timestamp()

    def identity_policies(self, principal: Principal) -> Iterator[PolicyDocument]:
        """Inline and managed policies of the user and its groups, or of the session's role."""
        holder = _holder(principal)
        if holder is not None:
            groups = backend("iam").get_groups_for_user(holder.name) if principal.kind == "user" else ()
            for each in (holder, *groups):
                yield from self._seen.of(each)

    def boundary(self, principal: Principal) -> PolicyDocument | None:
        """The permissions boundary of the user or of the session's role; one that is gone allows nothing."""
        arn = getattr(_holder(principal), "permissions_boundary_arn", None)
        if not arn:
            return None
        bring(backend("iam"), arn)
        policy = backend("iam").managed_policies.get(arn)
        return PolicyDocument(arn, _document_of(policy) if policy is not None else {})

    def bucket_policy(self, bucket: str) -> PolicyDocument | None:
        """The bucket's policy, or None where there is no bucket or no policy."""
        return self._buckets.bucket_policy(bucket)

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None:
        """What ACLs allow, as a policy."""
        return self._buckets.acl_policy(bucket, key)

    def public_access_block(self, bucket: str) -> PublicAccessBlock:
        """The bucket's four settings; none set where there is no bucket or no configuration."""
        return self._buckets.public_access_block(bucket)

    def holds(self, bucket: str, key: str = "") -> bool:
        """Whether there is the bucket, or an object with this key in it."""
        return self._buckets.holds(bucket, key)

    def trust_policy(self, role_arn: str) -> PolicyDocument | None:
        """Who may assume the role, or None where there is no such role."""
        role = _role(role_arn)
        if role is None:
            return None
        return PolicyDocument(role_arn, _parsed(role.assume_role_policy_document))

    def _session_principal(self, access_key_id: str) -> Principal | None:
        session = _session(access_key_id)
        if session is None or self.expired(access_key_id):
            return None
        return Principal("session", session.arn, ACCOUNT_ID, session.user_id, session.role_arn)


def _user_principal(key: Any) -> Principal | None:
    user = backend("iam").users.get(key.user_name)
    if user is None or key not in user.access_keys:
        return None
    return Principal("user", user.arn, ACCOUNT_ID, user.id)


def _session(access_key_id: str) -> Any | None:
    # the newest first: nearly every request comes from the session issued last
    for session in reversed(backend("sts").assumed_roles):
        if session.access_key_id == access_key_id:
            return session
    return None


def _role(role_arn: str) -> Any | None:
    return next((role for role in list(backend("iam").roles.values()) if role.arn == role_arn), None)


def _holder(principal: Principal) -> Any | None:
    """The user, or the session's role, that policies hang on."""
    if principal.kind == "user":
        return backend("iam").users.get(principal.arn.rsplit("/", 1)[-1])
    return _role(principal.role_arn) if principal.kind == "session" else None


def _policies_of(holder: Any) -> Documents:
    inline = (PolicyDocument(name, _parsed(text)) for name, text in list(holder.policies.items()))
    managed = (
        PolicyDocument(arn, _document_of(policy)) for arn, policy in list(holder.managed_policies.items())
    )
    return (*inline, *managed)


def _all_policies() -> Mapping[str, Documents]:
    iam = backend("iam")
    holders = [*iam.roles.values(), *iam.users.values(), *iam.groups.values()]
    return {each.arn: _policies_of(each) for each in holders}


def _document_of(policy: Any) -> Mapping[str, object]:
    """The default version of a managed policy."""
    version = next((v for v in policy.versions if v.version_id == policy.default_version_id), None)
    return _parsed(version.document) if version is not None else {}


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Mapping[str, object]:
    document: Mapping[str, object] = json.loads(text)
    return document
