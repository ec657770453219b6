"""What a template may grow to: CloudFormation's quotas, evaluated text, nesting, numbers, patterns."""

import json
import resource
from dataclasses import replace
from typing import Any

import pytest

from labkit.aws.templates import patterns
from labkit.aws.templates.errors import ApiError
from labkit.aws.templates.intrinsics import MAX_EVALUATED, conditions, evaluate
from labkit.aws.templates.parameters import resolve
from labkit.aws.templates.template import parse
from labkit.cloud.cloudformation.prepare import checked_template
from tests.unit.aws.templates.test_intrinsics import ENVIRONMENT

GROUP = {"Type": "AWS::Logs::LogGroup"}
TOO_MUCH = f"more than {MAX_EVALUATED} characters"


def refused(data: Any) -> str:
    """The words with which a template (a text, or values) is refused."""
    with pytest.raises(ApiError) as refusal:
        checked_template(data if isinstance(data, str) else json.dumps(data), "ap-south-1", 1_000_000)
    assert refusal.value.code == "ValidationError"
    return refusal.value.message


def refused_value(value: Any, **values: Any) -> str:
    environment = replace(ENVIRONMENT, values={**ENVIRONMENT.values, **values})
    with pytest.raises(ApiError) as refusal:
        evaluate(value, environment)
    return refusal.value.message


def bomb(function: str, levels: int) -> Any:
    if levels == 0:
        return "x" * 10
    inner = bomb(function, levels - 1)
    if function == "Fn::Sub":
        return {"Fn::Sub": ["${a}" * 10, {"a": inner}]}
    split = {"Fn::Split": ["y", "y".join("x" * 10)]}
    return {"Fn::Join": [inner, split]}


@pytest.mark.parametrize("function", ["Fn::Sub", "Fn::Join"])
@pytest.mark.parametrize("levels", [7, 12, 40])
def test_nested_functions_write_no_more_than_a_template_may_hold(function: str, levels: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert TOO_MUCH in refused_value(bomb(function, levels))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # kilobytes


LONG = "x" * 4096
TOO_LONG = {
    "Ref, repeated": [{"Ref": "Long"}] * 300,
    "Base64 of much": {"Fn::Base64": {"Fn::Sub": "${Long}" * 200}},
    "one Sub": {"Fn::Sub": "${Long}" * 1000},
    "a delimiter": {"Fn::Join": [{"Ref": "Long"}, [""] * 400]},
    "an object of lists": {"a": [{"Fn::Sub": "${Long}" * 100}] * 2, "b": [{"Fn::Sub": "${Long}" * 100}]},
    "dynamic references": {"Fn::Sub": "{{resolve:ssm:" + "${Long}}}" * 300},
    "mappings": [{"Fn::FindInMap": ["Long", "a", "b"]}] * 300,
    "attributes": [{"Fn::GetAtt": ["R", LONG]}] * 300,
}


@pytest.mark.parametrize("what", TOO_LONG)
def test_every_function_counts(what: str) -> None:
    environment = replace(ENVIRONMENT, mappings={"Long": {"a": {"b": LONG}}}, values={"Long": LONG})
    with pytest.raises(ApiError, match=TOO_MUCH):
        evaluate(TOO_LONG[what], environment)


def test_what_a_lab_needs_fits() -> None:
    script = {"Fn::Base64": {"Fn::Sub": "#" * 16_000 + "${Name}"}}
    assert len(evaluate(script, ENVIRONMENT)) == 21_340
    half = {"Fn::Sub": "x" * (MAX_EVALUATED // 2)}
    assert len(evaluate(half, ENVIRONMENT)) == MAX_EVALUATED // 2
    assert evaluate([half, half], ENVIRONMENT)[1][:1] == "x"  # each value has its own room


@pytest.mark.parametrize("count", [257, 16_777_216, 0, -1, "many", [1]])
def test_cidr_makes_at_most_256_blocks(count: Any) -> None:
    assert "Fn::Cidr" in refused_value({"Fn::Cidr": ["10.0.0.0/8", count, 1]})


def test_a_long_chain_of_conditions_is_evaluated() -> None:
    chain: dict[str, Any] = {"C0": {"Fn::Equals": ["a", "a"]}}
    for number in range(1, 3000):
        chain[f"C{number}"] = {"Fn::Not": [{"Condition": f"C{number - 1}"}]}
    assert conditions(dict(reversed(chain.items())), ENVIRONMENT)["C2999"] is False


@pytest.mark.parametrize(
    ("section", "most", "entry"),
    [
        ("Parameters", 200, {"Type": "String", "Default": ""}),
        ("Mappings", 200, {"a": {"b": "c"}}),
        ("Resources", 500, GROUP),
        ("Outputs", 200, {"Value": "a"}),
    ],
)
def test_quotas_of_a_template(section: str, most: int, entry: Any) -> None:
    """CloudFormation: UserGuide/cloudformation-limits.html."""

    def template(number: int) -> Any:
        return {"Resources": {"G": GROUP}, section: {f"N{index}": entry for index in range(number)}}

    assert len(getattr(parse(json.dumps(template(most))), section.lower())) == most
    words = f"Number of {section.lower()}, {most + 1}, is greater than maximum allowed, {most}"
    assert words in refused(template(most + 1))


def test_quotas_of_texts() -> None:
    """CloudFormation: UserGuide/cloudformation-limits.html."""
    mapping = {f"k{number}": {"b": "c"} for number in range(201)}
    assert "attributes in mapping M, 201" in refused({"Resources": {"G": GROUP}, "Mappings": {"M": mapping}})
    assert "length is greater than 1024" in refused({"Resources": {"G": GROUP}, "Description": "é" * 513})
    output = {"Value": "a", "Description": "d" * 1025}
    assert "length is greater than 1024" in refused({"Resources": {"G": GROUP}, "Outputs": {"O": output}})
    long = parse(json.dumps({"Resources": {"G": GROUP}, "Parameters": {"P": {"Type": "String"}}}))
    with pytest.raises(ApiError, match="at most 4096 bytes"):
        resolve(long, {"P": "é" * 2049}, lambda service: None)


DEEP = 100_000
STRANGE = {
    "JSON's lists": '{"Resources": ' + "[" * DEEP + "]" * DEEP + "}",
    "JSON's objects": '{"Resources": ' + '{"a": ' * DEEP + "1" + "}" * (DEEP + 1),
    "YAML's lists": "Resources: " + "[" * DEEP,
    "YAML's objects": "Resources: " + "{a: " * DEEP,
    "YAML's dashes": "Resources:\n" + "- " * DEEP + "a",
    "YAML's short forms": "Resources: " + "!Sub [" * DEEP,
    "YAML's aliases": "Resources:\n  A: &a [x, x]\n  B: &b [*a, *a, *a]\n  C: [*b, *b, *b]\n",
    "a word that is no number": '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Metadata": NaN}}}',
    "half a character": '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Metadata": "\\ud800"}}}',
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_too_deep_or_no_text_is_a_validation_error(what: str) -> None:
    assert refused(STRANGE[what]).startswith("Template format error")


@pytest.mark.parametrize("number", ["9" * 5000, "1.0e999", "-" + "9" * 400 + ".5"])
def test_a_number_that_is_none_stays_text(number: str) -> None:
    text = '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Metadata": {"n": %s}}}}'
    data = parse(text % number).source.data
    assert data["Resources"]["G"]["Metadata"]["n"] == number
    assert parse(f"Resources: {{G: {{Type: AWS::Logs::LogGroup, Metadata: {number}}}}}").source.data == {
        "Resources": {"G": {**GROUP, "Metadata": number}}
    }


def test_numbers_stay_numbers() -> None:
    text = '{"Resources": {"G": {"Type": "AWS::Logs::LogGroup", "Metadata": [1, -2.5, 1e5, 1E-2, 0]}}}'
    assert parse(text).source.data["Resources"]["G"]["Metadata"] == [1, -2.5, 100_000.0, 0.01, 0]


def declared(parameter: dict[str, Any]) -> Any:
    return {"Resources": {"G": GROUP}, "Parameters": {"P": {"Type": "String", **parameter}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"MinLength": "x"}, {"MaxLength": {}}, {"MinValue": "ten"}, {"MaxValue": []}, {"AllowedValues": "a"},
        {"AllowedPattern": "("}, {"AllowedPattern": "[z-a]"}, {"AllowedPattern": ["a"]},
    ],
)  # fmt: skip
def test_a_constraint_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    assert next(iter(wrong)) in refused(declared(wrong))


FOREIGN = {
    r"(?=.*[A-Z]).*": "a lookahead",
    r"(?!x).*": "a lookahead",
    r"(?<=a)b": "a lookbehind",
    r"(?<!a)b": "a lookbehind",
    r"(?>a+)b": "an atomic group",
    r"a++b": "a possessive quantifier",
    r"[a-z]{2}+": "a possessive quantifier",
    r"(a)\1": r"the escape \1",
    r"(?<n>a)\k<n>": r"the escape \k",
    r"[a-z&&[^bc]]": "an intersection of classes",
    r"[a[b]]": "a class inside a class",
    r"\p{Alpha}+": r"the class \p{Alpha}",
    r"\h+": r"the escape \h",
    r"\v": r"the escape \v",
    r"(?x)a b": "the group (?x",
    r"(?P<n>a)": "the group (?P",
}


@pytest.mark.parametrize("pattern", FOREIGN)
def test_what_java_has_and_this_cloud_has_not_is_named(pattern: str) -> None:
    words = refused(declared({"AllowedPattern": pattern}))
    assert FOREIGN[pattern] in words
    assert "not emulated by the local cloud" in words


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (r"[a-z][a-z0-9-]*", "a-1", "A"),
        (r"^\d{1,3}(\.\d{1,3}){3}/(\d|[12]\d|3[0-2])$", "10.0.0.0/16", "10.0.0.0"),
        (r"(?i)ami-[0-9a-f]+", "AMI-0", "x"),
        (r"\Q(a+)+\E", "(a+)+", "aa"),
        (r"[+*?}\[\]&]+", "+]&[", "a"),
        (r"a&&b", "a&&b", "ab"),
        (r"\p{Lu}\P{L}", "É1", "éa"),
        (r"(?<name>a|b)+", "ab", "c"),
    ],
)
def test_ordinary_patterns_hold_for_the_whole_text(pattern: str, right: str, wrong: str) -> None:
    checked_template(json.dumps(declared({"AllowedPattern": pattern})), "ap-south-1")
    assert patterns.fits(pattern, right)
    assert not patterns.fits(pattern, wrong)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(.*a){20}b", "a*a*a*a*a*a*a*b", "((a{0,30}){0,30})b"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    patterns.check(pattern, "P", None)
    assert not patterns.fits(pattern, "a" * 4096)


@pytest.mark.parametrize("pattern", ["a{1001}", "((a{1000}){1000}){1000}", "(" + "[^a-z]{999}" * 80 + ")"])
def test_a_pattern_that_needs_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(ApiError, match="AllowedPattern of parameter P"):
        patterns.check(pattern, "P", None)
