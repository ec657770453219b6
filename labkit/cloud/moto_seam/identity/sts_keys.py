"""Temporary credentials: issued through moto's STS, with secrets of real randomness.

What belongs here: sessions and their keys. What does not: what a session may do (identities).
"""

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from labkit.aws.records import Credentials, Principal
from labkit.base.errors import CloudError
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.identity.trust import role_of, trusts
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.ports import NotTrusted

SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


def correct_sts(replacements: Replacements, holder: Principal) -> None:
    """Secrets from the system's source of randomness; the account's holder is named as AWS names it."""
    import moto.iam.models as iam
    import moto.sts.models as sts

    replacements.put(iam, "random_alphanumeric", _secret)

    @replacements.around(sts.STSBackend, "get_caller_identity")
    def get_caller_identity(
        original: Any, self: Any, access_key_id: str, region: str
    ) -> tuple[str, str, str]:
        user_id, arn, account = original(self, access_key_id, region)
        if arn.endswith(":user/moto"):  # moto's name for whoever it does not know
            return holder.user_id, holder.arn, holder.account_id
        return user_id, arn, account


class MotoCredentials:
    """Issues credentials of roles as AWS's services get them (ports.CredentialIssuer)."""

    def issue(self, role_arn: str, session_name: str, *, seconds: int, service: str = "") -> Credentials:
        """Credentials that sts:GetCallerIdentity answers with assumed-role/<role>/<session name>.

        Raises CloudError when there is no such role, NotTrusted when `service` (if named) may not assume it.
        """
        role = role_of(role_arn)
        if role is None:
            raise CloudError(f"There is no role {role_arn}.", hint="Create the role first.")
        if service and not trusts(role, service):
            raise NotTrusted(f"{service} can't assume {role_arn}.", hint="Look at the role's trust policy.")
        _drop_expired_sessions()
        session = backend("sts").assume_role(
            region_name="us-east-1",
            role_session_name=session_name,
            role_arn=role_arn,
            policy=None,
            duration=seconds,
            external_id=None,
        )
        return Credentials(
            access_key_id=session.access_key_id,
            secret_access_key=session.secret_access_key,
            session_token=session.session_token,
            expires_at=expires_at(session),
        )


def expires_at(session: Any) -> float:
    """When the session ends, in seconds since the epoch."""
    return float(session.expiration.replace(tzinfo=UTC).timestamp())


def _drop_expired_sessions() -> None:
    # keys stay for an hour after their end, to answer ExpiredToken; then they would only fill memory
    sts, keys = backend("sts"), backend("iam").access_keys
    limit = datetime.now(UTC).timestamp() - 3600
    while sts.assumed_roles and expires_at(sts.assumed_roles[0]) < limit:
        keys.pop(sts.assumed_roles.pop(0).access_key_id, None)


def _secret(length: int) -> str:
    return "".join(secrets.choice(SECRET_ALPHABET) for _ in range(length))
