"""The words that operators on configuration put in the place of others.

What belongs here: plain tables. What does not: where a word stands (configuration).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: a literal value → what it becomes: the other values that the service knows, as people confuse them
ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "-1": ("tcp", "icmp"),
    "tcp": ("udp", "-1"),
    "Enabled": ("Suspended",),
    "AES256": ("aws:kms",),
    "required": ("optional",),
    "PAY_PER_REQUEST": ("PROVISIONED",),
    "S": ("N", "B"),
    "HASH": ("RANGE",),
    "Delete": ("Retain",),
    "lambda.amazonaws.com": ("ec2.amazonaws.com",),
    "ec2.amazonaws.com": ("lambda.amazonaws.com",),
    "Service": ("AWS",),
    "ec2": ("ecs-tasks",),
    "lambda": ("ecs-tasks",),
    "python3.13": ("python3.12", "python3.8", "nodejs22.x"),
    "index.lambda_handler": ("index.handler", "lambda_function.lambda_handler"),
    "lambda_function.lambda_handler": ("lambda_function.handler", "index.lambda_handler"),
    "t3.micro": ("t3.small", "t4g.micro"),
    "ap-south-1": ("eu-west-1",),
    "available": ("unavailable",),
    "7": ("14", "30"),
    "60": ("3", "900"),
    "256": ("128", "1024"),
}

#: what a policy may be given besides, as people do to get rid of AccessDenied
FURTHER_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "s3": ("s3:GetObject", "s3:DeleteObject"),
    "dynamodb": ("dynamodb:DeleteItem", "dynamodb:Scan"),
    "logs": ("s3:PutObject", "logs:CreateLogGroup"),
    "ec2": ("ec2:TerminateInstances", "iam:PassRole"),
    "sts": (),
}


@dataclass(frozen=True)
class Insertion:
    """A further element behind the one at `place`, a line of its own with the same indentation."""

    operator: str
    place: str
    detail: str
    text: str


@dataclass(frozen=True)
class Vocabulary:
    """What one engine calls things.

    `reference` finds a name that something refers to (its group `name`). `sources` are other sources than a group
    for a security group's rule.
    """

    reference: str
    group_source: str
    sources: tuple[str, ...]
    first_port: str
    last_port: str
    prefix_in_resource: str
    separator: str
    named: frozenset[str] = frozenset()
    insertions: tuple[Insertion, ...] = field(default=())


def _rule(detail: str, text: str) -> Insertion:
    return Insertion(
        "rule-added", "Resources.ServerGroup.Properties.SecurityGroupIngress.0", detail, f"- {text}"
    )


def _rule_block(detail: str, text: str) -> Insertion:
    body = "\n".join(
        f"  {line}" for line in ("security_group_id = aws_security_group.server.id", *text.split("; "))
    )
    block = f'resource "aws_vpc_security_group_ingress_rule" "more" {{\n{body}\n}}'
    return Insertion("rule-added", "aws_vpc_security_group_ingress_rule.server", detail, block)


CLOUDFORMATION = Vocabulary(
    reference=r"(?:!Ref |!GetAtt |\$\{)(?P<name>[A-Za-z][A-Za-z0-9]*)",
    group_source="SourceSecurityGroupId",
    sources=("CidrIp: 0.0.0.0/0", "CidrIp: !Ref VpcCidr", "CidrIpv6: ::/0"),
    first_port="FromPort",
    last_port="ToPort",
    prefix_in_resource="/${ObjectPrefix}/*",
    separator=": ",
    insertions=(
        _rule("ssh from everywhere", "{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}"),
        _rule("ssh from an address", "{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 203.0.113.9/32}"),
        _rule("port from an address", "{IpProtocol: tcp, FromPort: !Ref Port, ToPort: !Ref Port, CidrIp: 203.0.113.9/32}"),
        _rule("ping from everywhere", "{IpProtocol: icmp, FromPort: 8, ToPort: -1, CidrIp: 0.0.0.0/0}"),
        _rule("everything over IPv6", '{IpProtocol: "-1", CidrIpv6: "::/0"}'),
        _rule("all ports from the function", '{IpProtocol: "-1", SourceSecurityGroupId: !Ref FunctionGroup}'),
        Insertion("property-added", "Resources.ImageTable.Properties.BillingMode", "a protected table", "DeletionProtectionEnabled: true"),
        Insertion("property-added", "Resources.Function.Properties.Timeout", "one at a time", "ReservedConcurrentExecutions: 1"),
        Insertion("property-added", "Resources.Server.Properties.ImageId", "a protected server", "DisableApiTermination: true"),
        Insertion("property-added", "Resources.ServerRole.Properties.RoleName", "AWS's policy for S3", "ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonS3FullAccess]"),
        Insertion("property-added", "Resources.FunctionRole.Properties.RoleName", "AWS's policy for administrators", "ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]"),
    ),
)  # fmt: skip
TERRAFORM = Vocabulary(
    reference=r"(?<![\w.])(?P<name>(?:aws_\w+|var)\.[a-z_]+)",
    group_source="referenced_security_group_id",
    sources=('cidr_ipv4 = "0.0.0.0/0"', "cidr_ipv4 = var.vpc_cidr", 'cidr_ipv6 = "::/0"'),
    first_port="from_port",
    last_port="to_port",
    prefix_in_resource="/${var.object_prefix}/*",
    separator=" = ",
    insertions=(
        _rule_block("ssh from everywhere", 'ip_protocol = "tcp"; from_port = 22; to_port = 22; cidr_ipv4 = "0.0.0.0/0"'),
        _rule_block("ssh from an address", 'ip_protocol = "tcp"; from_port = 22; to_port = 22; cidr_ipv4 = "203.0.113.9/32"'),
        _rule_block("everything over IPv6", 'ip_protocol = "-1"; cidr_ipv6 = "::/0"'),
        _rule_block("all ports from the function", 'ip_protocol = "-1"; referenced_security_group_id = aws_security_group.function.id'),
        Insertion("property-added", "aws_dynamodb_table.images.billing_mode", "a protected table", "deletion_protection_enabled = true"),
        Insertion("property-added", "aws_lambda_function.process_image.timeout", "one at a time", "reserved_concurrent_executions = 1"),
        Insertion("property-added", "aws_s3_bucket.images.force_destroy", "kept", "lifecycle {\n  prevent_destroy = true\n}"),
    ),
)  # fmt: skip
