"""The functions of templates, evaluated."""

from dataclasses import replace
from typing import Any

import pytest

from labkit.aws.templates.errors import ApiError
from labkit.aws.templates.intrinsics import NO_VALUE, UNKNOWN, Environment, conditions, evaluate
from labkit.aws.templates.source import read

ENVIRONMENT = Environment(
    values={"Name": "lab", "Ports": ["80", "443"], "AWS::Region": "ap-south-1", "Count": "2"},
    mappings={"Sizes": {"small": {"type": "t3.micro"}}},
    conditions={"Wanted": True, "Unwanted": False},
    reference=lambda name: UNKNOWN if name == "Later" else f"id-of-{name}",
    attribute=lambda name, attribute: UNKNOWN if name == "Later" else f"{attribute} of {name}",
    zones=lambda region: [f"{region}a", f"{region}b"],
    imported=lambda name: f"import {name}",
    dynamic=lambda service, key: f"<{service} {key}>",
)

VALUES = {
    "!Ref Name": "lab",
    "!Ref Vpc": "id-of-Vpc",
    "!GetAtt Vpc.Cidr.Block": "Cidr.Block of Vpc",
    "{'Fn::GetAtt': [Vpc, Arn]}": "Arn of Vpc",
    "!Sub '${Name}-${Vpc}-${Vpc.Arn}-${!Kept}'": "lab-id-of-Vpc-Arn of Vpc-${Kept}",
    "!Sub ['${A}${Name}', {A: !Ref Count}]": "2lab",
    "!Join ['-', [a, !Ref Name, 3]]": "a-lab-3",
    "!Join [',', !Ref Ports]": "80,443",
    "!Select [1, !Ref Ports]": "443",
    "!Select ['0', !Split ['.', a.b.c]]": "a",
    "!If [Wanted, a, b]": "a",
    "!If [Unwanted, a, b]": "b",
    "[a, !If [Unwanted, b, !Ref 'AWS::NoValue'], c]": ["a", "c"],
    "{a: 1, b: !Ref 'AWS::NoValue'}": {"a": 1},
    "!FindInMap [Sizes, small, type]": "t3.micro",
    "!GetAZs ''": ["ap-south-1a", "ap-south-1b"],
    "!GetAZs eu-west-1": ["eu-west-1a", "eu-west-1b"],
    "{'Fn::Base64': !Sub 'hi ${Name}'}": "aGkgbGFi",
    "!Cidr [10.0.0.0/16, 3, 8]": ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"],
    "!ImportValue other-x": "import other-x",
    "'a {{resolve:ssm:/x:1}} b'": "a <ssm /x:1> b",
    "!Sub 'x ${Later}'": UNKNOWN,
    "!Join ['', [a, !GetAtt Later.Arn]]": UNKNOWN,
    "{Version: 2012-10-17, n: 007, b: yes, f: 1.5, z: ~}": {
        "Version": "2012-10-17",
        "n": "007",
        "b": True,
        "f": 1.5,
        "z": None,
    },
}


@pytest.mark.parametrize("text", VALUES)
def test_value(text: str) -> None:
    """CloudFormation: TemplateReference/intrinsic-function-reference.html."""
    assert (
        evaluate(
            read(text).data
            if "\n" in text or not text.startswith("{")
            else read(" \n" + "v: " + text).data["v"],
            ENVIRONMENT,
        )
        == VALUES[text]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!Select [5, !Ref Ports]", "cannot select nonexistent value at index 5"),
        ("!FindInMap [Sizes, large, type]", "Unable to get mapping for Sizes::large::type"),
        ("!Join [a]", "every Fn::Join object requires two parameters"),
        ("!If [Wanted, a]", "Fn::If requires a list argument with three elements"),
        ("!Cidr [nonsense, 1, 8]", "Fn::Cidr"),
        ("!Join ['', [[a]]]", "where a string is needed"),
    ],
)
def test_wrong_arguments(text: str, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        evaluate(read(text).data, ENVIRONMENT)


def test_no_value_alone() -> None:
    assert evaluate({"Ref": "AWS::NoValue"}, ENVIRONMENT) is NO_VALUE


def test_conditions() -> None:
    """CloudFormation: TemplateReference/intrinsic-function-reference-conditions.html."""
    declared = read(
        "A: !Equals [!Ref Name, lab]\nB: !Not [Condition: A]\n"
        "C: !And [Condition: A, !Or [Condition: B, !Equals [1, '1']]]"
    ).data
    assert conditions(declared, replace(ENVIRONMENT, conditions={})) == {"A": True, "B": False, "C": True}


def test_conditions_that_go_round() -> None:
    declared: dict[str, Any] = {
        "A": {"Fn::Not": [{"Condition": "B"}]},
        "B": {"Fn::Not": [{"Condition": "A"}]},
    }
    with pytest.raises(ApiError, match="circular dependency between conditions"):
        conditions(declared, ENVIRONMENT)
