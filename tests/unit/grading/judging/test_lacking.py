"""What only the local cloud lacks is known from its own refusals, and from nothing that is wrong on AWS too."""

from collections.abc import Mapping

import pytest

from labkit.aws.templates.errors import not_emulated
from labkit.grading.judging import lacking
from labkit.grading.judging.failure import Failed
from labkit.grading.model import Verdict, best

_REFUSED = "CloudFormation refused to create the stack hybrid-irt3pb (ValidationError): "


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (_REFUSED + not_emulated("The resource type AWS::SQS::Queue of resource Q", 3).message, "resource type AWS::SQS::Queue of resource Q"),
        (
            _REFUSED + "Properties validation failed for resource Vpc with message:\\n"
            "property Ipv4IpamPoolId of type AWS::EC2::VPC is not emulated by the local cloud (line 5)",
            "property Ipv4IpamPoolId of type AWS::EC2::VPC",
        ),
        ("creating EC2 VPN Gateway: The local cloud does not emulate CreateVpnGateway.", "CreateVpnGateway"),
        (_REFUSED + "Template format error: Unrecognized resource types: [AWS::No::Such]", ""),
        (
            "Properties validation failed for resource Vpc with message:\\n#: extraneous key [Cidr] is not permitted\\n"
            "property Ipv4IpamPoolId of type AWS::EC2::VPC is not emulated by the local cloud",
            "",
        ),
        ("The stack ended as ROLLBACK_COMPLETE. First failure: Server (AWS::EC2::Instance): no such image", ""),
    ],
)  # fmt: skip
def test_what_is_lacking_is_named(text: str, what: str) -> None:
    assert lacking.named(text.replace("\\n", "\n")) == what


def test_a_refusal_for_something_wrong_is_a_failure() -> None:
    assert isinstance(lacking.failure("no such image", hint="look"), Failed)
    assert isinstance(
        lacking.failure("The local cloud does not emulate CreateVpnGateway."), lacking.NotEmulated
    )


@pytest.mark.parametrize(
    ("denials", "what"),
    [
        ([], ""), ([{"lacking": ""}, {}], ""),
        ([{"lacking": "ec2:vpc"}, {"lacking": "aws:tokenissuetime, ec2:vpc"}], "the condition key aws:tokenissuetime, ec2:vpc"),
    ],
)  # fmt: skip
def test_condition_keys_are_known_from_refusals(denials: list[Mapping[str, str]], what: str) -> None:
    assert lacking.by_policy(denials) == what


def test_a_line_that_could_not_be_tried_for_this_is_not_judged_unless_its_text_alone_proves_it() -> None:
    lacks, passed, failed = lacking.verdict("a queue"), Verdict("passed", 1.0), Verdict("failed")
    assert (lacks.outcome, lacks.lacking) == ("not judged", "a queue")
    assert best([lacks, passed]) == passed
    assert best([lacks, failed]) == lacks
