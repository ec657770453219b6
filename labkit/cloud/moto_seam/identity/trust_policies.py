"""Trust policies as IAM checks them when a role is made or changed, and IAM's words for what is not there.

What belongs here: which documents are none, in AWS's words. What does not: who may assume a role (trust, labkit.aws.iam).

AWS: IAM API reference, CreateRole, UpdateAssumeRolePolicy (MalformedPolicyDocument); IAM user guide, "AWS JSON policy
elements: Principal".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.services import descriptions
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.replacing import Replacements

_TOP = {"Version", "Id", "Statement"}
_OF_STATEMENTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"}
_FEDERATED = {"cognito-identity.amazonaws.com", "accounts.google.com", "www.amazon.com", "graph.facebook.com"}
#: service principals whose names are none of a service's
_FURTHER = {
    "edgelambda", "replicator", "ecs-tasks", "spotfleet", "spot", "delivery", "vpc-flow-logs", "ops", "pods", "eks-fargate-pods",
    "ec2scheduled", "elasticmapreduce", "monitoring", "states", "events", "scheduler", "pipes", "email", "ses", "alexa-appkit",
    "cloudwatch", "elasticloadbalancing", "autoscaling", "transitgateway", "export", "rds", "opsworks", "codedeploy", "backup",
    "tagpolicies", "health", "trustedadvisor", "sagemaker", "glue", "access-analyzer", "member", "reporting", "sso", "wafv2",
}  # fmt: skip
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?").fullmatch
_OWN = re.compile(rf"arn:aws:iam::{ACCOUNT_ID}:(user|role)/(.+)").fullmatch
_ARN = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role|group)/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)"
).fullmatch
_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(saml-provider|oidc-provider)/.+").fullmatch
#: what moto says of things that are not there → IAM's words
_NOT_THERE = tuple(
    (re.compile(pattern).fullmatch, words)
    for pattern, words in (
        (r"Role (\S+) not found", "The role with name {} cannot be found."),
        (r"Instance profile (\S+) not found", "Instance Profile {} cannot be found."),
        (r"Policy Document (\S+) not attached to role \S+", "The role policy with name {} cannot be found."),
        (r"User (\S+) not found", "The user with name {} cannot be found."),
        (r"Group (\S+) not found", "The group with name {} cannot be found."),
        (r"Policy (arn\S+) not found", "Policy {} was not found."),
        (r"Login profile for (\S+) not found", "Login Profile for User {} cannot be found."),
        (r"The Access Key with id (\S+) cannot be found", "The Access Key with id {} cannot be found."),
    )
)


def correct_trust_policies(replacements: Replacements) -> None:
    """Check trust policies before a role has them; say what is not there as IAM does."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend

    replacements.around(IAMBackend, "create_role")(_create_role)
    replacements.around(IAMBackend, "update_assume_role_policy")(_update)
    replacements.add(NotFoundException, "__init__", _not_found)


def _create_role(
    original: Any, self: Any, role_name: str, assume_role_policy_document: str, *args: Any, **kwargs: Any
) -> Any:
    check_trust_policy(assume_role_policy_document)
    return original(self, role_name, assume_role_policy_document, *args, **kwargs)


def _update(original: Any, self: Any, role_name: str, policy_document: str) -> None:
    role = self.get_role(role_name)
    check_trust_policy(policy_document)
    role.assume_role_policy_document = policy_document


def _not_found(self: Any, message: str) -> None:
    from moto.iam.exceptions import IAMException

    found = next(((fits(message), words) for fits, words in _NOT_THERE if fits(message)), None)
    IAMException.__init__(self, found[1].format(found[0][1]) if found and found[0] else message)


def check_trust_policy(text: str) -> None:
    """Raise IAM's MalformedPolicyDocument for what can't be a trust policy."""
    from moto.iam.exceptions import MalformedPolicyDocument

    wrong = next(_problems(text), "")
    if wrong:
        raise MalformedPolicyDocument(wrong)


def _problems(text: str) -> Iterator[str]:
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        yield "This policy contains invalid Json"
        return
    if not isinstance(document, dict) or not set(document) <= _TOP or not document.get("Statement"):
        yield "Syntax errors in policy."
        return
    if document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        yield "Syntax errors in policy."
    found = document["Statement"]
    for each in found if isinstance(found, list) else [found]:
        yield from _of_statement(each) if isinstance(each, dict) else ("Syntax errors in policy.",)
    sids = [each["Sid"] for each in found if "Sid" in each] if isinstance(found, list) else []
    if len(set(map(str, sids))) < len(sids):
        yield "Statement IDs (SID) in a single policy must be unique."


def _of_statement(each: Mapping[str, Any]) -> Iterator[str]:
    for name in ("Resource", "NotResource"):
        if name in each:
            yield f"Has prohibited field {name}"
    if not set(each) <= _OF_STATEMENTS or each.get("Effect") not in ("Allow", "Deny"):
        yield "Syntax errors in policy."
    if not isinstance(each.get("Condition", {}), dict):
        yield "Syntax errors in policy."
    actions = _texts(each.get("Action", each.get("NotAction")))
    if not actions:
        yield "Missing required field Action"
    if not all(
        isinstance(action, str) and (action == "*" or action.lower().startswith("sts:")) for action in actions
    ):
        yield "AssumeRole policy may only specify STS AssumeRole actions."
    if ("Principal" in each) == ("NotPrincipal" in each):
        yield "Missing required field Principal" if "Principal" not in each else "Syntax errors in policy."
    else:
        yield from _of_principal(each.get("Principal", each.get("NotPrincipal")))


def _of_principal(principal: Any) -> Iterator[str]:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        yield (
            "Syntax errors in policy."
            if isinstance(principal, dict)
            else f'Invalid principal in policy: "STAR":"{principal}"'
        )
        return
    for kind, names in principal.items():
        if kind not in _KINDS:
            yield "Syntax errors in policy."
            return
        for name in _texts(names):
            if not isinstance(name, str) or not _KINDS[kind](name):
                yield f'Invalid principal in policy: "{kind.upper()}":"{name}"'


def is_principal(name: str) -> bool:
    """Somebody of an account: this account's must exist."""
    own = _OWN(name)
    if own is None:
        return name == "*" or re.fullmatch(r"\d{12}", name) is not None or _ARN(name) is not None
    kept = backend("iam").users if own[1] == "user" else backend("iam").roles
    return any(known.arn == name for known in list(kept.values()))


def is_service(name: str) -> bool:
    """A service of AWS: "ec2.amazonaws.com", "logs.eu-west-1.amazonaws.com", "ops.apigateway.amazonaws.com"."""
    if not _SERVICE(name):
        return False
    return any(label in _services() or label in _FURTHER for label in name.split(".amazonaws")[0].split("."))


def _is_provider(name: str) -> bool:
    return name in _FEDERATED or _PROVIDER(name) is not None


def _is_text(name: str) -> bool:
    return bool(name)


_KINDS: Mapping[str, Callable[[str], bool]] = {
    "AWS": is_principal,
    "Service": is_service,
    "Federated": _is_provider,
    "CanonicalUser": _is_text,
}


@cache
def _services() -> frozenset[str]:
    return frozenset(descriptions().list_available_services("service-2"))


def _texts(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
