"""Live grading reads and nothing else; what it can't read is not judged, and what it judged is no mark."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from labkit.course import rubric
from labkit.deploy.model import Deployment
from labkit.deploy.targets import Keys, Target
from labkit.grading.api import Failed, Lab, NotTold
from labkit.grading.grade import CHECKS
from labkit.grading.model import NOT_HERE, Result, Verdict, from_json, to_json
from labkit.grading.process import plugin
from labkit.grading.reports import html, markdown, terminal, words
from labkit.live import access, judging
from labkit.live.reads import READS, Reading, Unread, policy
from labkit.live.standing import Standing
from tests.unit.grading import results
from tests.unit.grading.test_reports import SCHEMA

ROOT = Path(__file__).parents[3]
#: the lines that a program can read where a lab stands
LIVE = {
    "own-variant", "deploys", "boot-clean", "logs-kept", "lambda-in-vpc", "nothing-else-open", "private-address",
    "imds-v2", "bytes-exact", "bucket-shut", "bucket-kept", "row-each", "row-types", "row-hash", "row-origin",
}  # fmt: skip


def reading() -> Reading:
    """At an address where nobody answers."""
    return Reading(Target("aws", "us-east-1", "http://127.0.0.1:9"), Keys("AKIDEXAMPLE", "secret"))


def test_nothing_but_reads_is_sent() -> None:
    clients = reading()
    for service, call, arguments in (
        ("s3", "put_object", {"Bucket": "b", "Key": "k"}),
        ("lambda", "invoke", {"FunctionName": "f"}),
        ("ec2", "stop_instances", {"InstanceIds": ["i-1"]}),
        ("iam", "list_roles", {}),
    ):
        with pytest.raises(Unread, match="was not sent"):
            getattr(clients.client(service), call)(**arguments)
    assert not clients.asked
    with pytest.raises(EndpointConnectionError):
        clients.client("sts").get_caller_identity()
    assert clients.asked == {"sts GetCallerIdentity"}


def test_every_operation_of_the_list_exists_and_only_reads() -> None:
    for service, operations in READS.items():
        known = reading().client(service).meta.service_model.operation_names
        assert set(operations) <= set(known), service
        assert all(name.startswith(("Get", "List", "Describe", "Scan", "Filter")) for name in operations)


def test_the_template_of_the_documents_is_the_one_that_is_made_of_the_list() -> None:
    docs = ROOT / "docs"
    assert (docs / "aws-instructor-role.json").read_text() == access.template(), "./lab dev access"
    assert (docs / "aws-instructor-policy.json").read_text() == access.policy_text(), "./lab dev access"
    role = json.loads(access.template())["Resources"]["InstructorRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    (allowed,) = role["Policies"]
    assert allowed["PolicyDocument"] == policy()
    for statement in policy()["Statement"]:
        assert "*" not in {action.partition(":")[2] for action in statement["Action"]}
        if statement["Resource"] == "*":  # nothing that a lab holds
            assert not {"s3:GetObject", "dynamodb:Scan", "logs:FilterLogEvents"} & set(statement["Action"])


def test_the_lines_that_are_read_say_in_the_rubric_that_they_can_be_judged_live() -> None:
    lines = rubric.load(ROOT)
    folders = [str(ROOT / folder) for folder in CHECKS]
    reads = set()
    for line in lines.all:
        path = plugin.found(folders, line)
        assert path is not None
        if "live" in plugin.load(path)[0].__globals__:
            reads.add(line.id)
            assert "L" in line.proof, line.id
    assert reads == LIVE


def standing(**outputs: str) -> Standing:
    return cast(
        Standing,
        SimpleNamespace(deployment=Deployment("cloudformation", "n", "complete", outputs), submitted={}),
    )


def refused(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "Scan"
    )  # type: ignore[typeddict-item]


def raising(error: Exception, cause: Exception | None = None) -> Callable[[Lab], None]:
    def live(_: Lab) -> None:
        raise error from cause

    return live


@pytest.mark.parametrize(
    ("live", "outcome", "said"),
    [
        (lambda _: None, "passed", ""),
        (raising(Failed("it is open")), "failed", "it is open"),
        (raising(NotTold("nothing there yet", hint="./lab process")), "not judged", "nothing there yet"),
        (raising(refused("AccessDenied")), "not judged", "Scan was refused"),
        (raising(Failed("Scan was refused: AccessDenied"), refused("AccessDeniedException")), "not judged", "may not"),
        (raising(refused("ResourceNotFoundException")), "failed", "ResourceNotFound"),
        (raising(Unread("not sent")), "not judged", "not sent"),
    ],
)  # fmt: skip
def test_what_was_not_read_is_not_judged(live: Any, outcome: str, said: str) -> None:
    verdict = judging.judged(rubric.load(ROOT).line("row-types"), live, standing())
    assert (verdict.outcome, verdict.way) == (outcome, "live")
    assert said in verdict.reason


def test_where_nothing_stands_every_line_says_so() -> None:
    nothing = standing()
    nothing.deployment = Deployment("cloudformation", "n", "absent")
    verdict = judging.judged(rubric.load(ROOT).line("deploys"), lambda _: None, nothing)
    assert verdict.outcome == "failed"
    assert "nothing of your lab stands" in verdict.reason


def on_aws() -> Result:
    """One line live, one by the last local grading, one that nobody judged."""
    none = results.nothing()
    about = {**none.about, "target": "aws", "region": "eu-west-1", "asked": ["ec2 DescribeVpcs"]}
    passed = Verdict("passed", 1.0, way="live")
    here = Verdict(reason=f"{NOT_HERE}: it stops or deletes something")
    result = replace(none, about=about, complete=True).with_line("door-open", passed)
    return (
        result.with_line("row-hash", replace(passed, way="alone"))
        .with_line("deploys", here)
        .with_line("parity", here)
    )


def test_a_live_result_is_no_mark_and_says_of_each_line_how_it_was_proved() -> None:
    result = on_aws()
    value = to_json(result)
    jsonschema.validate(value, SCHEMA)
    assert [line["proof"] for line in value["lines"]] == ["live", "local", "none"]
    assert to_json(from_json(value)) == value
    assert not replace(result, lines=result.lines[:2]).is_final
    text = "\n".join(text for text, _ in terminal.render(result))
    for each in (text, html.render(result), markdown.render(result)):
        told = " ".join(each.replace("\\", "").split())
        assert "No mark: 60 of 60 points live on AWS; 30 of 30 points by the last local grading" in told
        assert "because it stops or deletes something: deploys" in told
    assert words.judged(result)
    assert not words.judged(result.with_line("deploys", Verdict(reason="for now")))


def test_a_reading_draws_nothing_from_others() -> None:
    with pytest.raises(Failed, match="only looked at"):
        Lab("x", random.Random(0), standing(), judging.nothing_else).disposable_copy()
