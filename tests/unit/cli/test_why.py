"""A refusal in words: who, what, which statement, and what to do next."""

from typing import Any

import pytest

from labkit.cli import why

REFUSAL: dict[str, Any] = {
    "at": 0.0, "caller": {"place": "function", "name": "arn:aws:lambda:r:1:function:f"}, "principal": "arn:aws:sts::1:assumed-role/r/f",
    "operation": "s3:PutObject", "code": "AccessDenied", "message": "User … is not authorized", "request_id": "id",
    "action": "s3:PutObject", "resource": "arn:aws:s3:::b/k", "reason": "implicit-deny", "kind": "", "policy": "", "statement": "", "lacking": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words", "following"),
    [
        (
            {},
            "no statement of any policy allows it",
            "Effect Allow, Action s3:PutObject, Resource arn:aws:s3:::b/k",
        ),
        (
            {"reason": "explicit-deny", "kind": "resource", "policy": "b", "statement": "NoOne"},
            "statement NoOne of b (the resource's policy) denies it",
            "Change statement NoOne of b",
        ),
        ({"kind": "boundary"}, "no statement of the caller's permissions boundary allows it", "Effect Allow"),
        ({"kind": "endpoint"}, "no statement of the policy of the VPC endpoint allows it", "Effect Allow"),
        ({"reason": "", "code": "UnsupportedOperation"}, "no policy was asked", "docs/emulated.md"),
        ({"reason": "", "code": "SignatureDoesNotMatch"}, "no policy was asked", ""),
    ],
)
def test_the_statement_that_decided_is_named_and_what_to_do(
    changes: dict[str, str], words: str, following: str
) -> None:
    refusal = REFUSAL | changes
    assert words in why.reason(refusal)
    assert following in why.next_thing(refusal)
    assert bool(following) == bool(why.next_thing(refusal))


def test_who_and_what_are_told_and_condition_keys_that_only_we_lack() -> None:
    told = why.facts(REFUSAL | {"lacking": "aws:ViaAWSService"})
    assert told["who"] == "arn:aws:sts::1:assumed-role/r/f (function arn:aws:lambda:r:1:function:f)"
    assert told["what"] == "s3:PutObject on arn:aws:s3:::b/k"
    assert told["unknown"].endswith("aws:ViaAWSService")
    assert (
        why.facts(REFUSAL | {"principal": "", "caller": {"place": "host", "name": ""}})["who"]
        == "nobody known (this machine)"
    )
