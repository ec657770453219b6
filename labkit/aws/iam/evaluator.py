"""Whether a request is allowed: the decision, and the statement that made it.

What belongs here: the logic that turns policies into one decision, as a pure function. What does not:
fetching policies, reading requests, wording denials.
AWS IAM: "Policy evaluation logic", "Policy evaluation for requests within a single account".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from labkit.aws.iam.matching import Context
from labkit.aws.iam.principals import named, names_itself
from labkit.aws.iam.statements import Statement, statements
from labkit.aws.records import PolicyDocument, Principal

Reason = Literal["allow", "implicit-deny", "explicit-deny"]


@dataclass(frozen=True)
class Request:
    """Who wants to do what with which resources; the keys of `context` are in lower case."""

    principal: Principal
    action: str
    resources: Sequence[str] = ("*",)
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What was decided, and why.

    `policy` and `statement` name what allowed or denied ("" where nothing spoke), `kind` says whether that hangs on
    the caller (as policy or as permissions boundary), on the resource, or on the VPC endpoint between them; `action`
    and `resource` are what was decided about.
    """

    allowed: bool
    reason: Reason
    kind: Literal["", "identity", "boundary", "resource", "endpoint"] = ""
    policy: str = ""
    statement: str = ""
    action: str = ""
    resource: str = ""


def evaluate(
    request: Request,
    identity_policies: Iterable[PolicyDocument] = (),
    resource_policies: Iterable[PolicyDocument] = (),
    *,
    trust: bool = False,
    boundary: PolicyDocument | None = None,
) -> Decision:
    """Decide about `request` within one account; every one of its resources must be allowed.

    An explicit deny anywhere wins; else an allow in either kind of policy suffices. The account's
    root needs no allow. With `trust`, the resource policies are a role's trust policy, whose allow
    is needed in any case (AWS STS: AssumeRole). A permissions `boundary` of the caller's user or role must allow
    too, but where a resource policy names the user or the role's session itself (IAM user guide, "Permissions
    boundaries for IAM entities").
    """
    hanging_on_caller, hanging_on_resource = list(identity_policies), list(resource_policies)
    decision = Decision(False, "implicit-deny", action=request.action)
    for resource in request.resources:
        matched = _Matched(request, resource)
        matched.read_identity(hanging_on_caller)
        matched.read_resource(hanging_on_resource)
        matched.read_boundary(boundary)
        decision = matched.decide(trust=trust)
        if not decision.allowed:
            return decision
    return decision


def passes_endpoint(request: Request, policy: PolicyDocument) -> Decision:
    """Whether a VPC endpoint with this policy lets the request through; it grants nothing by itself.

    VPC user guide (AWS PrivateLink), "Control access to VPC endpoints using endpoint policies".
    """
    for resource in request.resources:
        matched = _Matched(request, resource)
        matched.read_resource([policy])
        if matched.denied:
            return _at_endpoint(request, resource, matched.denied)
        if not (matched.by_resource or matched.by_account):
            return _at_endpoint(request, resource, None)
    return Decision(True, "allow", "endpoint", policy.name, "", request.action)


def _at_endpoint(request: Request, resource: str, where: "_Where | None") -> Decision:
    _, policy, statement = where or ("", "", "")
    reason: Reason = "explicit-deny" if where else "implicit-deny"
    return Decision(False, reason, "endpoint", policy, statement, request.action, resource)


_Where = tuple[Literal["identity", "boundary", "resource"], str, str]


class _Matched:
    """What the policies say about one resource."""

    def __init__(self, request: Request, resource: str) -> None:
        self._request = request
        self._resource = resource
        self._action = request.action.lower()
        self.denied: _Where | None = None
        self.by_identity: _Where | None = None
        self.by_resource: _Where | None = None
        self.by_account: _Where | None = None
        self.bounded: _Where | None = None  # the boundary that allows nothing of this
        self._names_caller = False  # a resource policy allows it to the user or session itself

    def read_identity(self, policies: Sequence[PolicyDocument]) -> None:
        for policy in policies:
            for statement in statements(policy.document):
                if statement.covers(self._action, self._resource, self._request.context):
                    where: _Where = ("identity", policy.name, statement.sid)
                    if statement.effect == "Deny":
                        self.denied = self.denied or where
                    else:
                        self.by_identity = self.by_identity or where

    def read_resource(self, policies: Sequence[PolicyDocument]) -> None:
        for policy in policies:
            for statement in statements(policy.document):
                how = names(statement, self._request.principal)
                if how and statement.covers(self._action, self._resource, self._request.context):
                    where: _Where = ("resource", policy.name, statement.sid)
                    if statement.effect == "Deny":
                        self.denied = self.denied or where
                    elif how == "direct":
                        self.by_resource = self.by_resource or where
                        self._names_caller |= names_itself(statement.principal, self._request.principal)
                    else:
                        self.by_account = self.by_account or where

    def read_boundary(self, boundary: PolicyDocument | None) -> None:
        if boundary is None:
            return
        within = _Matched(self._request, self._resource)
        within.read_identity([boundary])
        if within.denied:
            self.denied = self.denied or ("boundary", *within.denied[1:])
        if not within.by_identity:
            self.bounded = ("boundary", boundary.name, "")

    def decide(self, *, trust: bool) -> Decision:
        if self.denied:
            return self._decision(False, "explicit-deny", self.denied)
        allowing = self.by_identity
        if self._request.principal.kind == "root":
            allowing = allowing or ("identity", "root", "")
        if trust:
            allowing = allowing and self.by_account
        if self.bounded and not self._names_caller:
            return self._decision(False, "implicit-deny", self.bounded)
        allowing = allowing or self.by_resource
        if allowing:
            return self._decision(True, "allow", allowing)
        return self._decision(False, "implicit-deny", None)

    def _decision(self, allowed: bool, reason: Reason, where: _Where | None) -> Decision:
        kind, policy, statement = where or ("", "", "")
        return Decision(allowed, reason, kind, policy, statement, self._request.action, self._resource)


def names(statement: Statement, principal: Principal) -> str:
    """How a statement of a resource policy names `principal`: "direct", through its "account", or "" not at all."""
    if statement.not_principal is not None:
        return "" if named(statement.not_principal, principal) else "direct"
    return named(statement.principal, principal)
