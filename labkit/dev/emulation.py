"""docs/emulated.md: what the local cloud emulates, made of the tables that it is decided by.

What belongs here: the text. What does not: the tables (labkit.cloud.door.emulated, the engines of the kit's own).
"""

import textwrap
from collections.abc import Iterator, Sequence

_HEAD = """# What the local cloud emulates

Made by `./lab dev emulated` of the tables that decide: by service, the operations that stand for something here, and of each the
parameters that are refused although AWS has them. What is not listed is refused by name (`UnsupportedOperation`: "The local cloud does
not emulate …"), never taken and ignored; so is every other service. S3, DynamoDB and CloudFormation refuse parameters in the same way
([S3](s3.md), [DynamoDB](dynamodb.md)).
"""
_TITLES = {
    "lambda": "Lambda", "ec2": "EC2", "iam": "IAM", "sts": "STS", "logs": "CloudWatch Logs", "ssm": "Systems Manager", "kms": "KMS",
    "tagging": "Resource Groups Tagging", "resource-groups": "Resource Groups", "monitoring": "CloudWatch", "account": "Account",
    "organizations": "Organizations", "events": "EventBridge",
}  # fmt: skip


def document() -> str:
    """The whole document."""
    from labkit.aws.addresses import ACCOUNT_ID
    from labkit.cloud.cloudformation.api import ACTIONS
    from labkit.cloud.door import emulated
    from labkit.cloud.stores.dynamodb.service import DynamoDB
    from labkit.cloud.stores.s3.service import operations

    tables = DynamoDB(ACCOUNT_ID)
    try:
        own = {"S3": operations(), "DynamoDB": tables.operations(), "CloudFormation": sorted(ACTIONS)}
    finally:
        tables.close()
    parts = [_HEAD, *(_section(title, names, ()) for title, names in own.items()), _types()]
    parts += [
        _section(_TITLES[service], sorted(table), list(_left_out(service)))
        for service, table in emulated.table().items()
    ]
    return "\n".join(parts)


def _section(title: str, names: Sequence[str], left_out: Sequence[str]) -> str:
    lines = [f"## {title}: {len(names)} operations", "", *textwrap.wrap(", ".join(names) + ".", 120)]
    if left_out:
        lines.append("")
    for each in left_out:
        lines += textwrap.wrap(each, 120, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _types() -> str:
    """The resource types of CloudFormation; every other is refused by name when a template is given."""
    from labkit.cloud.cloudformation.resources.registry import HANDLERS

    title = f"## CloudFormation: {len(HANDLERS)} resource types"
    return "\n".join([title, "", *textwrap.wrap(", ".join(sorted(HANDLERS)) + ".", 120), ""])


def _left_out(service: str) -> Iterator[str]:
    """One line for each operation with parameters that are refused."""
    from labkit.cloud.door import emulated, inputs

    for operation, taken in sorted(emulated.table()[service].items()):
        lacking = [
            name for name in inputs.operation(service, operation).members.values() if name not in taken
        ]
        if lacking:
            yield f"{operation} without {', '.join(lacking)}."
