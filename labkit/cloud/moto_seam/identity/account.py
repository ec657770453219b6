"""What an account brings along, put into moto's state when a cloud starts.

What belongs here: roles, instance profiles and key pairs of a new account. What does not: which there are
(labkit.aws.accounts), and the account's quotas (quotas).
"""

import json

from labkit.aws.accounts import Account, Role
from labkit.cloud.moto_seam.backends import backend


def furnish(account: Account) -> None:
    """Make what comes with `account`; once, before anybody is served."""
    for role in account.roles:
        _make(role)
    for region, names in (account.key_pairs or {}).items():
        for name in names:
            backend("ec2", region).create_key_pair(name, "rsa", {})


def _make(role: Role) -> None:
    iam = backend("iam")
    trust = {"Effect": "Allow", "Principal": role.trusted, "Action": "sts:AssumeRole"}
    iam.create_role(role.name, _document(trust), "/", None, "", [], "43200")
    iam.put_role_policy(role.name, f"{role.name}-policy", _document(*role.statements))
    if role.profile:
        iam.create_instance_profile(role.profile, "/", [])
        iam.add_role_to_instance_profile(role.profile, role.name)


def _document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
