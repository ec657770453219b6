"""Decisions: cases from AWS's documentation, and what must hold for all policies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.aws.iam import Decision, Request, evaluate
from labkit.aws.iam.matching import matches
from labkit.aws.records import PolicyDocument, Principal

ACCOUNT = "123456789012"
USER = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ada", ACCOUNT, "AIDA")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/server"
SESSION = Principal("session", f"arn:aws:sts::{ACCOUNT}:assumed-role/server/i-1", ACCOUNT, "AROA:i-1", ROLE)
ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT)
NOBODY = Principal("anonymous", "*", ACCOUNT)
KEY = "arn:aws:s3:::bucket/home/ada/a.jpg"
TABLE = f"arn:aws:dynamodb:ap-south-1:{ACCOUNT}:table/images"


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    if not {"Action", "NotAction"} & elements.keys():
        elements["Action"] = "*"
    if not {"Resource", "NotResource"} & elements.keys():
        elements["Resource"] = "*"
    return {"Effect": effect, **elements}


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> PolicyDocument:
    return PolicyDocument("p", {"Version": version, "Statement": list(statements)})


def decide(
    *statements: dict[str, Any],
    on: tuple[dict[str, Any], ...] = (),
    principal: Principal = USER,
    action: str = "s3:GetObject",
    resource: str = KEY,
    context: dict[str, Any] | None = None,
    trust: bool = False,
) -> Decision:
    request = Request(principal, action, [resource], context or {})
    return evaluate(request, [policy(*statements)], [policy(*on)] if on else [], trust=trust)


@pytest.mark.parametrize(
    ("elements", "action", "resource", "allowed"),
    [
        ({"Action": "s3:GetObject"}, "s3:GetObject", KEY, True),
        ({"Action": "S3:getobject"}, "s3:GetObject", KEY, True),
        ({"Action": "s3:Get*"}, "s3:GetObject", KEY, True),
        ({"Action": "s3:Get?bject"}, "s3:GetObject", KEY, True),
        ({"Action": "s3:*"}, "dynamodb:GetItem", TABLE, False),
        ({"Action": ["dynamodb:PutItem", "dynamodb:UpdateItem"]}, "dynamodb:UpdateItem", TABLE, True),
        ({"Action": []}, "s3:GetObject", KEY, False),
        ({"NotAction": "iam:*"}, "s3:GetObject", KEY, True),
        ({"NotAction": ["s3:*", "iam:*"]}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/*"}, "s3:GetObject", KEY, True),
        ({"Resource": "arn:aws:s3:::bucket"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::BUCKET/*"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/home/*/a.???"}, "s3:GetObject", KEY, True),
        ({"Resource": "arn:aws:dynamodb:*:*:table/im*"}, "dynamodb:GetItem", TABLE, True),
        ({"Resource": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/*"}, "dynamodb:GetItem", TABLE, False),
        ({"Resource": "arn:aws:dynamodb:*:table/images"}, "dynamodb:GetItem", TABLE, True),
        ({"NotResource": "arn:aws:s3:::other/*"}, "s3:GetObject", KEY, True),
        ({"NotResource": "arn:aws:s3:::bucket/*"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/home/${aws:username}/*"}, "s3:GetObject", KEY, True),
        ({"Resource": "arn:aws:s3:::bucket/${aws:unknown}/*"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/${aws:unknown, 'home'}/*"}, "s3:GetObject", KEY, True),
        ({"Resource": "arn:aws:s3:::bucket/${*}"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/${*}"}, "s3:GetObject", "arn:aws:s3:::bucket/*", True),
    ],
)
def test_elements(elements: dict[str, Any], action: str, resource: str, allowed: bool) -> None:
    """IAM user guide, "IAM JSON policy element reference": Action, Resource, their Not…, variables."""
    decision = decide(
        statement(**elements), action=action, resource=resource, context={"aws:username": "ada"}
    )
    assert decision.allowed is allowed


def test_variables_need_the_newer_version() -> None:
    """IAM user guide, "Version": in 2008-10-17, ${aws:username} is text."""
    owns = statement(Resource="arn:aws:s3:::bucket/${aws:username}")
    request = Request(USER, "s3:GetObject", ["arn:aws:s3:::bucket/ada"], {"aws:username": "ada"})
    assert evaluate(request, [policy(owns)]).allowed
    assert not evaluate(request, [policy(owns, version="2008-10-17")]).allowed


def test_value_of_a_variable_is_no_pattern() -> None:
    """IAM user guide, "Variables and tags": a user who could call himself * gains nothing."""
    owns = statement(Resource="arn:aws:s3:::bucket/${aws:username}/k")
    context = {"aws:username": "*"}
    assert not decide(owns, resource="arn:aws:s3:::bucket/ada/k", context=context).allowed
    assert decide(owns, resource="arn:aws:s3:::bucket/*/k", context=context).allowed


def test_nothing_said_is_an_implicit_deny() -> None:
    """IAM user guide, "Policy evaluation logic": by default all requests are denied."""
    assert decide().reason == "implicit-deny"


def test_explicit_deny_wins_and_is_named() -> None:
    """IAM user guide, "The difference between explicit and implicit denies"."""
    decision = decide(statement(), statement("Deny", Sid="Never", Action="s3:Get*"))
    assert (decision.allowed, decision.reason, decision.kind) == (False, "explicit-deny", "identity")
    assert (decision.policy, decision.statement) == ("p", "Never")
    assert (decision.action, decision.resource) == ("s3:GetObject", KEY)


def test_every_resource_must_be_allowed() -> None:
    """IAM user guide, "Policy evaluation logic": the first resource without permission is named."""
    request = Request(USER, "s3:GetObject", ["arn:aws:s3:::a/k", "arn:aws:s3:::b/k"])
    decision = evaluate(request, [policy(statement(Resource="arn:aws:s3:::a/*"))])
    assert (decision.allowed, decision.resource) == (False, "arn:aws:s3:::b/k")


@pytest.mark.parametrize(
    ("element", "principal", "allowed"),
    [
        ("*", NOBODY, True),
        ({"AWS": "*"}, NOBODY, True),
        ({"AWS": "*"}, SESSION, True),
        ({"AWS": USER.arn}, USER, True),
        ({"AWS": [ROLE, "arn:aws:iam::1:role/x"]}, SESSION, True),
        ({"AWS": SESSION.arn}, SESSION, True),
        ({"AWS": ROLE}, USER, False),
        ({"AWS": ROLE}, NOBODY, False),
        ({"AWS": ACCOUNT}, USER, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, USER, False),
        ({"Service": "lambda.amazonaws.com"}, USER, False),
        (None, USER, False),
    ],
)
def test_resource_policy_suffices_for_whom_it_names(
    element: Any, principal: Principal, allowed: bool
) -> None:
    """IAM user guide, "Principal"; naming the account leaves it to identity policies."""
    assert decide(on=(statement(Principal=element),), principal=principal).allowed is allowed


def test_deny_on_the_account_holds_for_everybody_in_it() -> None:
    """IAM user guide, "Principal": denying the account denies all its principals."""
    denying = statement("Deny", Principal={"AWS": ACCOUNT})
    for principal in (USER, SESSION, ROOT):
        assert decide(statement(), on=(denying,), principal=principal).reason == "explicit-deny"


def test_not_principal_denies_the_others() -> None:
    """IAM user guide, "NotPrincipal"."""
    denying = statement("Deny", NotPrincipal={"AWS": [ROLE, ACCOUNT]})
    assert decide(statement(), on=(denying,), principal=SESSION).allowed
    denying = statement("Deny", NotPrincipal={"AWS": ROLE})
    assert not decide(statement(), on=(denying,), principal=USER).allowed


def test_root_needs_no_allow_and_obeys_resource_policies() -> None:
    """IAM user guide, "AWS account root user"; S3 user guide, "Bucket policies"."""
    assert decide(principal=ROOT).allowed
    decision = decide(on=(statement("Deny", Principal="*"),), principal=ROOT)
    assert (decision.reason, decision.kind) == ("explicit-deny", "resource")


@pytest.mark.parametrize(
    ("trusted", "identity", "allowed"),
    [
        ({"AWS": USER.arn}, False, True),
        ({"AWS": ACCOUNT}, False, False),
        ({"AWS": ACCOUNT}, True, True),
        ({"Service": "ec2.amazonaws.com"}, True, False),
    ],
)
def test_trust_policy_is_always_needed(trusted: Any, identity: bool, allowed: bool) -> None:
    """IAM user guide, "Policy evaluation for requests within a single account": role trust policies."""
    trusting = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}
    mine = (statement(),) if identity else ()
    decision = decide(*mine, on=(trusting,), action="sts:AssumeRole", resource=ROLE, trust=True)
    assert decision.allowed is allowed


def test_resource_policy_that_refuses_plain_http() -> None:
    """S3 user guide, "Security best practices": enforce encryption of data in transit."""
    refusing = statement("Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert decide(statement(), on=(refusing,), context={"aws:securetransport": "true"}).allowed
    assert not decide(statement(), on=(refusing,), context={"aws:securetransport": "false"}).allowed


# -- what holds for all policies -----------------------------------------------------------------

ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:*", "*", "dynamodb:*", "s3:Get*"])
RESOURCES = st.sampled_from(
    ["*", KEY, "arn:aws:s3:::bucket/*", TABLE, "arn:aws:s3:::bucket/${aws:username}/*"]
)
CONDITIONS = st.sampled_from(
    [
        {},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringNotEquals": {"aws:username": "ada"}},
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["a*"]}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"Unheard": {"of": "it"}},
    ]
)
STATEMENTS = st.builds(
    lambda effect, action, negated, resource, condition: {
        "Effect": effect,
        ("NotAction" if negated else "Action"): action,
        "Resource": resource,
        "Condition": condition,
        "Principal": "*",
    },
    st.sampled_from(["Allow", "Deny"]),
    ACTIONS,
    st.booleans(),
    RESOURCES,
    CONDITIONS,
)
REQUESTS = st.builds(
    Request,
    st.sampled_from([USER, SESSION, ROOT, NOBODY]),
    st.sampled_from(["s3:GetObject", "s3:PutObject", "dynamodb:GetItem"]),
    st.sampled_from([(KEY,), (TABLE,), (KEY, TABLE)]),
    st.sampled_from([{}, {"aws:username": "ada", "aws:securetransport": "true", "aws:sourceip": "10.1.2.3"}]),
)
POLICIES = st.lists(STATEMENTS, max_size=5)


@pytest.mark.slow
@given(REQUESTS, POLICIES, POLICIES, st.randoms())
def test_order_of_statements_never_matters(
    request_: Request, mine: list[Any], others: list[Any], shuffler: Any
) -> None:
    before = evaluate(request_, [policy(*mine)], [policy(*others)])
    shuffled = shuffler.sample(mine, len(mine)), shuffler.sample(others, len(others))
    after = evaluate(request_, [policy(*shuffled[0])], [policy(*shuffled[1])])
    assert (before.allowed, before.reason) == (after.allowed, after.reason)


@pytest.mark.slow
@given(REQUESTS, POLICIES, POLICIES, STATEMENTS, st.booleans())
def test_one_statement_more_moves_only_its_own_way(
    request_: Request, mine: list[Any], others: list[Any], more: dict[str, Any], on_resource: bool
) -> None:
    """An allow never denies, a deny never allows, wherever it hangs."""
    before = evaluate(request_, [policy(*mine)], [policy(*others)]).allowed
    target = others if on_resource else mine
    target.append(more)
    after = evaluate(request_, [policy(*mine)], [policy(*others)]).allowed
    assert after >= before if more["Effect"] == "Allow" else after <= before


@given(REQUESTS, POLICIES)
def test_deny_of_everything_leaves_nothing(request_: Request, mine: list[Any]) -> None:
    denied = evaluate(request_, [policy(*mine, statement("Deny"))])
    assert (denied.allowed, denied.reason) == (False, "explicit-deny")


@given(st.text(max_size=12))
def test_text_matches_itself_and_star(text: str) -> None:
    assert matches("*", text)
    assert matches(text, text)
    assert matches(f"{text[:3]}*", text)
