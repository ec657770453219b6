"""Parameters of stacks: constraints, types, values looked up elsewhere."""

from typing import Any

import pytest

GROUP = "Resources:\n  G:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: !Sub 'g'}\nParameters:\n  P: "
ECHO = "\nOutputs:\n  Out: {Value: !Ref P}\n"
LIST = "\nOutputs:\n  Out: {Value: !Join ['|', !Ref P]}\n"

REFUSED = {
    "{Type: String, AllowedValues: [a, b]}": ("c", "Parameter 'P' must be one of AllowedValues (line 6)"),
    "{Type: String, AllowedPattern: '[a-z]+'}": ("A", "Parameter 'P' must match pattern [a-z]+"),
    "{Type: String, MinLength: 3}": ("ab", "Parameter 'P' must contain at least 3 characters"),
    "{Type: String, MaxLength: 1}": ("ab", "Parameter 'P' must contain at most 1 characters"),
    "{Type: Number}": ("ten", "Parameter 'P' must be a number"),
    "{Type: Number, MinValue: 10}": ("9", "Parameter 'P' must be a number not less than 10"),
    "{Type: Number, MaxValue: 10}": ("11", "Parameter 'P' must be a number not greater than 10"),
    "{Type: String, MinLength: 3, ConstraintDescription: be long}": (
        "a",
        "Parameter 'P' failed to satisfy constraint: be long",
    ),
    "{Type: AWS::EC2::VPC::Id}": (
        "vpc-12345678",
        "Parameter validation failed: parameter value vpc-12345678 for parameter name P does not exist",
    ),
    "{Type: AWS::SSM::Parameter::Value<String>}": (
        "/no/such",
        "Unable to fetch parameters [/no/such] from parameter store for this account.",
    ),
}


@pytest.mark.parametrize("declaration", REFUSED)
def test_refused(cloud: Any, declaration: str) -> None:
    """CloudFormation: UserGuide/parameters-section-structure.html."""
    value, words = REFUSED[declaration]
    parameters = [{"ParameterKey": "P", "ParameterValue": value}]
    assert words in cloud.refusal(GROUP + declaration + ECHO, Parameters=parameters)


def test_missing_and_unknown_parameters_are_named(cloud: Any) -> None:
    assert "Parameters: [P] must have values" in cloud.refusal(GROUP + "{Type: String}" + ECHO)
    stray = [{"ParameterKey": "Q", "ParameterValue": "1"}]
    assert "Parameters: [Q] do not exist in the template" in cloud.refusal(
        GROUP + "{Type: String, Default: a}" + ECHO, Parameters=stray
    )


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("{Type: String, Default: 012}", "012"),
        ("{Type: Number, Default: 1.50}", "1.5"),
        ("{Type: String, Default: 2012-10-17}", "2012-10-17"),
        ("{Type: String, Default: true}", "true"),
    ],
)
def test_values(cloud: Any, declaration: str, expected: str) -> None:
    cloud.create(GROUP + declaration + ECHO)
    assert cloud.outputs() == {"Out": expected}


def test_lists(cloud: Any) -> None:
    cloud.create(GROUP + "{Type: CommaDelimitedList, Default: 'a, b,c'}" + LIST)
    assert cloud.outputs() == {"Out": "a|b|c"}


def test_ssm_values_are_looked_up(cloud: Any) -> None:
    """CloudFormation: UserGuide/cloudformation-supplied-parameter-types.html, SSM parameter types."""
    cloud.client("ssm").put_parameter(Name="/lab/x", Type="String", Value="found")
    body = GROUP + "{Type: AWS::SSM::Parameter::Value<String>, Default: /lab/x}" + ECHO
    stack = cloud.create(body)
    assert cloud.outputs() == {"Out": "found"}
    assert stack["Parameters"] == [
        {"ParameterKey": "P", "ParameterValue": "/lab/x", "ResolvedValue": "found"}
    ]


def test_no_echo_hides_the_value(cloud: Any) -> None:
    stack = cloud.create(GROUP + "{Type: String, Default: secret, NoEcho: true}" + ECHO)
    assert stack["Parameters"][0]["ParameterValue"] == "****"
