"""Physical names that CloudFormation makes up: stack, logical id, and a random suffix.

What belongs here: the form of generated names. What does not: which types want one (resources/).
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

import secrets
import string
import uuid

SUFFIX_LENGTH = 12
_SUFFIX = string.ascii_letters + string.digits


def suffix(length: int = SUFFIX_LENGTH) -> str:
    """Random letters and digits, from the system's generator: a seeded run never repeats a name."""
    return "".join(secrets.choice(_SUFFIX) for _ in range(length))


def generated(stack_name: str, logical_id: str, *, limit: int, lower: bool = False) -> str:
    """A name of at most `limit` characters; stack name and logical id are cut alike to fit."""
    room = limit - SUFFIX_LENGTH - 2
    stack, logical = stack_name, logical_id
    if len(stack) + len(logical) > room:
        stack = stack[: max(room - len(logical), room // 2)]
        logical = logical[: room - len(stack)]
    name = f"{stack}-{logical}-{suffix()}"
    return name.lower() if lower else name


def arn(kind: str, name: str, *, region: str, account: str) -> str:
    """The ARN of a new stack or change set; `kind` is "stack" or "changeSet"."""
    return f"arn:aws:cloudformation:{region}:{account}:{kind}/{name}/{uuid.uuid4()}"
