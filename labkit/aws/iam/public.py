"""Whether a bucket policy is public, as S3's Block Public Access sees it.

What belongs here: that one question. What does not: evaluating policies. S3 user guide: "Blocking
public access to your Amazon S3 storage", section "The meaning of public".
"""

from labkit.aws.iam.conditions import Condition
from labkit.aws.iam.principals import names_everybody
from labkit.aws.iam.statements import Statement, statements
from labkit.aws.records import PolicyDocument

#: condition keys that, given a fixed value, take a statement from the public
_NARROWING = {
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
}
_FIXED = ("stringequals", "stringlike", "arnequals", "arnlike", "stringequalsignorecase")


def is_public(policy: PolicyDocument) -> bool:
    """Whether the policy allows anything to everybody without a condition on a fixed value."""
    return any(_is_public(statement) for statement in statements(policy.document))


def _is_public(statement: Statement) -> bool:
    if statement.effect != "Allow":
        return False
    if statement.not_principal is None and not names_everybody(statement.principal):
        return False
    return not any(_narrows(condition) for condition in statement.conditions)


def _narrows(condition: Condition) -> bool:
    if condition.operator == "ipaddress" and condition.key == "aws:sourceip":
        return all(not value.endswith("/0") for value in condition.wanted)
    fixed = condition.key in _NARROWING and condition.operator in _FIXED and not condition.if_exists
    return fixed and not any("*" in value or "${" in value for value in condition.wanted)
