"""What a role may do beyond its need: nothing that the evaluator allows is missed, nothing else is told."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.aws.iam import Request, evaluate
from labkit.aws.iam.analysis import Needed, Policies, allows, decide, excesses, granted
from labkit.aws.iam.catalog import Action, actions, spelt
from labkit.aws.iam.globs import Searcher, Undecided
from labkit.aws.iam.matching import matches
from labkit.aws.records import PolicyDocument, Principal

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/server"
SESSION = Principal("session", f"arn:aws:sts::{ACCOUNT}:assumed-role/server/i-1", ACCOUNT, "AROA:i-1", ROLE)
BUCKET, TABLE = "arn:aws:s3:::b", f"arn:aws:dynamodb:ap-south-1:{ACCOUNT}:table/t"
NEEDED = (
    Needed(("s3:putobject",), (f"{BUCKET}/ada/*",)),
    Needed(("dynamodb:putitem", "dynamodb:updateitem"), ("arn:aws:dynamodb:*:*:table/t",)),
)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any], name: str = "p") -> PolicyDocument:
    return PolicyDocument(name, {"Version": "2012-10-17", "Statement": list(statements)})


PUT, ITEMS = (
    allow("s3:PutObject", f"{BUCKET}/ada/*"),
    allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], TABLE),
)


def policies(*statements: dict[str, Any], **more: Any) -> Policies:
    return Policies(SESSION, (document(*statements),), **more)


def beyond(*statements: dict[str, Any], **more: Any) -> set[str]:
    found = list(itertools.islice(excesses(policies(*statements, **more), NEEDED), 500))
    assert all(each.decided for each in found)
    return {each.action for each in found}


def where(condition: dict[str, Any]) -> dict[str, Any]:
    return {"Condition": condition}


RIGHT: dict[str, list[dict[str, Any]]] = {
    "the reference": [PUT, ITEMS],
    "one statement for each": [PUT, allow("dynamodb:PutItem", TABLE), allow("dynamodb:UpdateItem", TABLE)],
    "only some endings": [allow("s3:PutObject", [f"{BUCKET}/ada/*.jpg", f"{BUCKET}/ada/*.png"]), ITEMS],
    "a question mark": [allow("s3:PutObject", f"{BUCKET}/ada/????????.jpg"), ITEMS],
    "any region and account": [PUT, allow("dynamodb:PutItem", "arn:aws:dynamodb:*:*:table/t")],
    "under a condition": [allow("s3:PutObject", f"{BUCKET}/ada/*", **where({"Bool": {"aws:SecureTransport": "true"}})), ITEMS],
    "own account": [allow("s3:PutObject", f"{BUCKET}/ada/*", **where({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}))],
    "guarded by deny": [
        allow("*"),
        {"Effect": "Deny", "NotAction": ["s3:PutObject", "dynamodb:PutItem"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "NotResource": f"{BUCKET}/ada/*"},
        {"Effect": "Deny", "Action": "dynamodb:*", "NotResource": TABLE},
    ],
    "denied whatever the condition's value": [
        PUT,
        allow("s3:GetObject"),
        deny("s3:GetObject", **where({"Bool": {"aws:SecureTransport": "true"}})),
        deny("s3:GetObject", **where({"BoolIfExists": {"aws:SecureTransport": "false"}})),
    ],
    "an action in odd case": [allow("S3:putobject", f"{BUCKET}/ada/*")],
    "an ARN that no object has": [allow("s3:PutObject", BUCKET), ITEMS],
    "a condition that can't be fulfilled": [allow("iam:*", **where({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::1:role/x"}}))],
    "over": [allow("s3:GetObject", **where({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}))],
    "of a user": [allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*")],
    "an action that AWS does not know": [PUT, allow("s3:BakeCake")],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_policy_allows_nothing_beyond(name: str) -> None:
    assert beyond(*RIGHT[name]) == set()


WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "the whole bucket": ([allow("s3:PutObject", f"{BUCKET}/*")], "s3:putobject"),
    "a prefix without its slash": ([allow("s3:PutObject", f"{BUCKET}/ada*")], "s3:putobject"),
    "another prefix": ([PUT, allow("s3:PutObject", f"{BUCKET}/bob/*")], "s3:putobject"),
    "another table": ([allow("dynamodb:PutItem", f"{TABLE}-2")], "dynamodb:putitem"),
    "tables that begin so": ([allow("dynamodb:PutItem", f"{TABLE}*")], "dynamodb:putitem"),
    "reading": ([PUT, allow("s3:Get*", f"{BUCKET}/ada/*")], "s3:getobject"),
    "deleting": ([PUT, allow(["s3:PutObject", "s3:DeleteObject"], f"{BUCKET}/ada/*")], "s3:deleteobject"),
    "passing roles": ([PUT, allow("iam:PassRole")], "iam:passrole"),
    "a service nobody thinks of": ([PUT, allow("sqs:SendMessage", "arn:aws:sqs:*:*:none")], "sqs:sendmessage"),
    "no resource known": ([PUT, allow("s3:ListAllMyBuckets")], "s3:listallmybuckets"),
    "not these actions": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "a4b:approveskill"),
    "not this resource": (
        [{"Effect": "Allow", "Action": "s3:PutObject", "NotResource": f"{BUCKET}/ada/*"}],
        "s3:putobject",
    ),
    "a wildcard in the action": ([allow("dynamodb:?eleteItem", TABLE)], "dynamodb:deleteitem"),
    "a condition that can be fulfilled": (
        [allow("s3:GetObject", **where({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))],
        "s3:getobject",
    ),
    "many conditions": (
        [allow("s3:GetObject", **where({"StringLike": {f"aws:RequestTag/{n}": ["a*", "b*"] for n in range(20)}}))],
        "s3:getobject",
    ),
    "a deny under a condition": (
        [allow("s3:GetObject"), deny("s3:*", **where({"Bool": {"aws:SecureTransport": "false"}}))],
        "s3:getobject",
    ),
    "a deny elsewhere": ([allow("s3:GetObject"), deny("s3:GetObject", f"{BUCKET}/*")], "s3:getobject"),
    "many denies under conditions": (
        [allow("iam:PassRole"), *(deny("*", **where({"StringLike": {f"aws:RequestTag/{n}": "x*"}})) for n in range(20))],
        "iam:passrole",
    ),
    "a variable": ([allow("s3:GetObject", "arn:aws:s3:::b/${aws:PrincipalArn}/*")], "s3:getobject"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_beyond_is_found(name: str) -> None:
    statements, action = WRONG[name]
    assert action in beyond(*statements)


def test_find_names_action_resource_policy_and_statement() -> None:
    found = next(iter(excesses(policies(PUT, allow("s3:DeleteObject", f"{BUCKET}/*", Sid="Tidy")), NEEDED)))
    assert (spelt(found.action), found.resource) == ("s3:DeleteObject", f"{BUCKET}/*")
    assert (found.policy, found.statement, found.pattern) == ("p", "Tidy", "s3:deleteobject")
    assert matches(found.resource, found.example)


@pytest.mark.slow
def test_boundary_limits_what_is_allowed() -> None:
    """IAM user guide, "Permissions boundaries for IAM entities"."""
    assert beyond(allow(["s3:*", "dynamodb:*"]), boundary=document(PUT, ITEMS)) == set()
    assert "s3:getobject" in beyond(allow("*"), boundary=document(allow("s3:*")))
    assert beyond(allow("s3:GetObject"), boundary=document(allow("*"), deny("s3:GetObject"))) == set()


def test_policies_of_resources_that_name_the_role_count() -> None:
    grant = allow("s3:GetObject", f"{BUCKET}/*", Principal={"AWS": ROLE})
    other = allow("s3:GetObject", f"{BUCKET}/*", Principal={"AWS": f"{ROLE}-2"})
    public = allow("s3:GetObject", f"{BUCKET}/*", Principal="*")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ROLE}}
    assert beyond(PUT, on_resources={BUCKET: document(grant)}) == {"s3:getobject"}
    assert beyond(PUT, on_resources={BUCKET: document(other)}) == set()
    assert (
        beyond(PUT, on_resources={BUCKET: document(public)}) == set()
    )  # the bucket's openness, not a right of the role
    assert beyond(PUT, on_resources={f"{ROLE}-2": document(trust)}) == {"sts:assumerole"}
    refusal = deny("s3:*", [BUCKET, f"{BUCKET}/*"], Principal="*")
    assert beyond(allow("s3:GetObject", f"{BUCKET}/x*"), on_resources={BUCKET: document(refusal)}) == set()


def test_tags_of_the_role_are_its_own() -> None:
    condition = where({"StringEquals": {"aws:PrincipalTag/team": "red"}})
    assert beyond(allow("s3:GetObject", **condition)) == set()
    assert beyond(allow("s3:GetObject", **condition), tags={"team": "red"}) == {"s3:getobject"}


def test_what_must_be_allowed_is_asked_too() -> None:
    assert allows(policies(PUT), "s3:PutObject", f"{BUCKET}/ada/x.png")
    assert not allows(policies(PUT), "s3:PutObject", f"{BUCKET}/x.png")
    account = allow("s3:PutObject", **where({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}))
    assert allows(policies(account), "s3:PutObject", f"{BUCKET}/ada/x.png")
    assert not allows(policies(PUT, deny("s3:*")), "s3:PutObject", f"{BUCKET}/ada/x.png")


def test_every_managed_policy_of_aws_for_functions_in_a_vpc_is_logs_and_interfaces_only() -> None:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    known = json.loads(aws_managed_policies_data)
    own = known["AWSLambdaVPCAccessExecutionRole"]["Document"]
    needed = [
        Needed(("logs:*", "ec2:*networkinterface*", "ec2:*privateipaddresses", "ec2:describesubnets"), ("*",))
    ]
    assert list(excesses(Policies(SESSION, (PolicyDocument("aws", own),)), needed)) == []


# ---- The evaluator is the oracle, over all requests of a small world ------------------------------------

_ACTIONS = ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "dynamodb:PutItem", "iam:PassRole"]
_RESOURCES = [
    f"{BUCKET}/ada/x", f"{BUCKET}/x", "arn:aws:s3:::c/ada/x", BUCKET, "arn:aws:s3:::c", TABLE, f"{TABLE}2", f"{ROLE}2",
]  # fmt: skip
_PATTERNS = [
    "*",
    f"{BUCKET}/*",
    f"{BUCKET}/ada/*",
    "arn:aws:s3:::*",
    BUCKET,
    TABLE,
    f"{TABLE}*",
    "arn:aws:iam::*:role/*",
]
_CONTEXTS: list[dict[str, str]] = [
    {"aws:securetransport": tls, "aws:principalarn": ROLE, **source}
    for tls in ("true", "false")
    for source in ({}, {"aws:sourcevpc": "vpc-1"})
]  # fmt: skip
_CONDITIONS = [
    {}, {"Bool": {"aws:SecureTransport": "true"}}, {"Bool": {"aws:SecureTransport": "false"}},
    {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
    {"Null": {"aws:SourceVpc": "true"}}, {"ArnEquals": {"aws:PrincipalArn": ROLE}},
]  # fmt: skip
_STATEMENTS = st.builds(
    lambda effect, action, acts, resource, on, condition: {
        "Effect": effect, action: acts, resource: on, **({"Condition": condition} if condition else {}),
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "NotAction"]),
    st.lists(st.sampled_from([*_ACTIONS, "s3:*", "*"]), min_size=1, max_size=2),
    st.sampled_from(["Resource", "Resource", "NotResource"]),
    st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=2),
    st.sampled_from(_CONDITIONS),
)  # fmt: skip


def _possible(action: str, resource: str) -> bool:
    kinds = next(iter(actions(action.lower()))).kinds
    return any(matches(k.pattern, resource) and not any(matches(n, resource) for n in k.never) for k in kinds)


_POSSIBLE = [
    (action, resource) for action in _ACTIONS for resource in _RESOURCES if _possible(action, resource)
]


def _is_needed(action: str, resource: str) -> bool:
    return any(
        action.lower() in need.actions and any(matches(each, resource) for each in need.resources)
        for need in NEEDED
    )


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(_STATEMENTS, max_size=4), st.none() | st.lists(_STATEMENTS, max_size=2))
def test_nothing_that_the_evaluator_allows_is_missed(
    statements: list[dict[str, Any]], bounds: list[dict[str, Any]] | None
) -> None:
    boundary = None if bounds is None else document(*bounds, name="boundary")
    known = policies(*statements, boundary=boundary)
    allowed = {
        action.lower()
        for action, resource in _POSSIBLE
        if not _is_needed(action, resource)
        and any(
            evaluate(
                Request(SESSION, action, (resource,), context), known.identity, boundary=boundary
            ).allowed
            for context in _CONTEXTS
        )
    }
    assert allowed <= {each.action for each in excesses(known, NEEDED, _small)}


def _small(pattern: str) -> list[Action]:
    return [next(iter(actions(a.lower()))) for a in _ACTIONS if matches(pattern, a.lower())]


_GLOBS = st.text("ab*?", max_size=4)


@pytest.mark.slow
@given(
    st.lists(st.lists(_GLOBS, min_size=1, max_size=2), min_size=1, max_size=2), st.lists(_GLOBS, max_size=2)
)
def test_a_text_between_patterns_is_found_exactly(inside: list[list[str]], outside: list[str]) -> None:
    texts = ("".join(letters) for length in range(7) for letters in itertools.product("abx", repeat=length))
    exists = any(
        all(any(matches(p, text) for p in group) for group in inside)
        and not any(matches(p, text) for p in outside)
        for text in texts
    )
    found = Searcher().witness(inside, outside)
    assert (found is not None) == exists
    if found is not None:
        assert all(any(matches(p, found) for p in group) for group in inside)
        assert not any(matches(p, found) for p in outside)


def test_search_ends() -> None:
    with pytest.raises(Undecided):
        Searcher().witness([[f"*a{'?' * 40}"], [f"*b{'?' * 39}c*"]], [f"*c{'?' * 20}*", "*a"])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow("s3:PutObject", "r"), ["r"]),
        (allow(["s3:Get*", "s3:Put*"], "r"), ["r"]),
        (allow("s3:PutObjec?", ["r", "q"]), ["r", "q"]),
        (allow("*", "r"), ["r"]),
        ({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "r"}, ["r"]),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "r"}, ["all but r"]),
        (allow("s3:getobject", "r"), []),
        (deny("s3:PutObject", "r"), []),
    ],
)
def test_what_is_granted_for_an_action_is_told_as_it_is_written(
    statement: dict[str, Any], expected: list[str]
) -> None:
    assert granted(policies(statement), "s3:PutObject") == expected


def test_a_decision_names_the_statement_that_denies() -> None:
    """IAM user guide, "Policy evaluation logic": an explicit deny wins over any allow."""
    found = decide(
        policies(PUT, deny("s3:Put*", f"{BUCKET}/*", Sid="No")), "s3:PutObject", f"{BUCKET}/ada/1.png"
    )
    assert (found.reason, found.policy, found.statement) == ("explicit-deny", "p", "No")
