"""What would be allowed: SimulatePrincipalPolicy, SimulateCustomPolicy and the keys that policies ask for.

What belongs here: those requests and answers. What does not: deciding (labkit.aws.iam), which does it for every request.

AWS: IAM API reference, SimulatePrincipalPolicy, SimulateCustomPolicy, EvaluationResult; user guide, "IAM policy testing
with the IAM policy simulator".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam import Decision, Request, evaluate
from labkit.aws.iam.statements import statements
from labkit.aws.records import PolicyDocument, Principal
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.identity.managed_policies import PREFIX
from labkit.cloud.moto_seam.replacing import Replacements

_DECISIONS = {"allow": "allowed", "implicit-deny": "implicitDeny", "explicit-deny": "explicitDeny"}


class Policies(Protocol):
    """Where policies in force are found (identities.MotoIdentities)."""

    def identity_policies(self, principal: Principal) -> Iterator[PolicyDocument]: ...  # noqa: D102

    def boundary(self, principal: Principal) -> PolicyDocument | None: ...  # noqa: D102


@dataclass(frozen=True)
class _Simulated:
    """Who would ask, and what is in force then."""

    principal: Principal
    policies: Sequence[PolicyDocument]
    resource_policies: Sequence[PolicyDocument]
    boundary: PolicyDocument | None
    context: Mapping[str, tuple[str, ...]]


def correct_simulation(replacements: Replacements, policies: Policies) -> None:
    """Answer what moto lacks."""
    from moto.iam.responses import IamResponse

    def of_principal(self: Any) -> Any:
        return _answer(self, _principal(str(self._get_param("PolicySourceArn"))), policies)

    def custom(self: Any) -> Any:
        return _answer(self, None, policies)

    def keys_of_principal(self: Any) -> Any:
        principal = _principal(str(self._get_param("PolicySourceArn")))
        return _keys([*_in_force(principal, policies), *_given(self, "PolicyInputList")])

    def keys_of_custom(self: Any) -> Any:
        return _keys(_given(self, "PolicyInputList"))

    replacements.add(IamResponse, "simulate_principal_policy", of_principal)
    replacements.add(IamResponse, "simulate_custom_policy", custom)
    replacements.add(IamResponse, "get_context_keys_for_principal_policy", keys_of_principal)
    replacements.add(IamResponse, "get_context_keys_for_custom_policy", keys_of_custom)


def _principal(arn: str) -> Principal:
    """The user, group or role as one who asks. Raises IAM's NoSuchEntity."""
    from moto.iam.exceptions import NotFoundException

    iam, kind, name = backend("iam"), arn.split(":")[-1].split("/")[0], arn.rpartition("/")[2]
    kept = {"user": iam.users, "role": iam.roles, "group": iam.groups}.get(kind, {})
    found = next((known for known in list(kept.values()) if known.arn == arn), None)
    if found is None:
        raise NotFoundException(
            f"{kind.capitalize()} {name} not found" if kept else f"{arn} cannot be found."
        )
    if kind == "role":
        return Principal("session", arn, ACCOUNT_ID, str(found.id), arn)
    return Principal("user", arn, ACCOUNT_ID, str(found.id))


def _in_force(principal: Principal, policies: Policies) -> list[PolicyDocument]:
    if ":group/" not in principal.arn:
        return list(policies.identity_policies(principal))
    group = backend("iam").groups[principal.arn.rpartition("/")[2]]
    managed = (
        PolicyDocument(arn, _parsed(policy.default_version.document))
        for arn, policy in group.managed_policies.items()
    )
    return [*(PolicyDocument(name, _parsed(text)) for name, text in group.policies.items()), *managed]


def _given(response: Any, name: str) -> list[PolicyDocument]:
    return [
        PolicyDocument(f"{name}.{number}", _parsed(text))
        for number, text in enumerate(response._get_param(name, []), 1)
    ]


def _parsed(text: Any) -> Mapping[str, object]:
    from moto.iam.exceptions import IAMException

    class InvalidInput(IAMException):  # type: ignore[misc]
        code = "InvalidInput"

    try:
        document = json.loads(text)
    except (ValueError, TypeError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput("Syntax errors in policy.")
    return document


def _answer(response: Any, principal: Principal | None, policies: Policies) -> Any:
    from moto.core.responses import ActionResult

    in_force = _in_force(principal, policies) if principal else []
    boundaries = _given(response, "PermissionsBoundaryPolicyInputList")
    resource = response._get_param("ResourcePolicy")
    caller = principal or Principal(
        "user",
        str(response._get_param("CallerArn") or f"arn:aws:iam::{ACCOUNT_ID}:user/simulated"),
        ACCOUNT_ID,
    )
    simulated = _Simulated(
        caller,
        [*in_force, *_given(response, "PolicyInputList")],
        [PolicyDocument("ResourcePolicy", _parsed(resource))] if resource else [],
        boundaries[0] if boundaries else policies.boundary(principal) if principal else None,
        {
            str(e.get("ContextKeyName", "")).lower(): tuple(e.get("ContextKeyValues", ()))
            for e in response._get_param("ContextEntries", [])
        },
    )
    resources = response._get_param("ResourceArns", []) or ["*"]
    results = [
        _result(simulated, action, arn)
        for action in response._get_param("ActionNames", [])
        for arn in resources
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(simulated: _Simulated, action: str, resource: str) -> dict[str, Any]:
    request = Request(simulated.principal, action, (resource,), simulated.context)
    decision = evaluate(request, simulated.policies, simulated.resource_policies, boundary=simulated.boundary)
    answer: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _DECISIONS[decision.reason],
        "MatchedStatements": _matched(decision, simulated.principal),
        "MissingContextValues": sorted(_missing(simulated)),
    }
    if simulated.boundary is not None:
        answer["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": decision.kind != "boundary"
        }
    return answer


def _matched(decision: Decision, principal: Principal) -> list[dict[str, str]]:
    if not decision.policy or decision.reason == "implicit-deny":
        return []
    return [{"SourcePolicyId": decision.policy, "SourcePolicyType": _kind(decision, principal)}]


def _kind(decision: Decision, principal: Principal) -> str:
    if decision.kind == "resource":
        return "resource"
    if decision.policy.startswith(PREFIX):
        return "aws-managed"
    if decision.policy.startswith("arn:"):
        return "user-managed"
    if decision.policy.startswith("PolicyInputList."):
        return "none"
    return "group" if ":group/" in principal.arn else "role" if principal.kind == "session" else "user"


def _missing(simulated: _Simulated) -> set[str]:
    """Keys that conditions ask for and nobody gave."""
    return _asked([*simulated.policies, *simulated.resource_policies]) - simulated.context.keys()


def _asked(documents: Sequence[PolicyDocument]) -> set[str]:
    return {
        condition.key
        for each in documents
        for statement in statements(each.document)
        for condition in statement.conditions
    }


def _keys(documents: Sequence[PolicyDocument]) -> Any:
    from moto.core.responses import ActionResult

    return ActionResult({"ContextKeyNames": sorted(_asked(documents))})
