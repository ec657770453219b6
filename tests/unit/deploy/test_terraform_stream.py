"""Terraform's machine-readable output, as it was recorded from real runs, becomes our records."""

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import DeployError
from labkit.base.events import Event, ignore
from labkit.deploy import terraform_stream
from labkit.deploy.model import Change
from labkit.deploy.terraform_errors import failed
from labkit.deploy.terraform_stream import Diagnostic, Stream, changes, outputs, validated


def hook(address: str, action: str, **more: Any) -> dict[str, Any]:
    return {"resource": {"addr": address, "resource_type": address.split(".")[0]}, "action": action, **more}


def taken(*lines: dict[str, Any] | str) -> tuple[Stream, list[Event]]:
    events: list[Event] = []
    stream = Stream(events.append)
    for line in lines:
        stream.line(line if isinstance(line, str) else json.dumps(line))
    return stream, events


ERROR = {
    "severity": "error", "summary": "Reference to undeclared resource",
    "detail": "A managed resource\n\nis not declared.",
    "address": "aws_vpc.main", "range": {"filename": "main.tf", "start": {"line": 12, "column": 5}},
}  # fmt: skip


def test_resources_are_reported_with_the_words_of_cloudformation() -> None:
    stream, events = taken(
        {"type": "apply_start", "hook": hook("aws_vpc.main", "create")},
        {"type": "apply_progress", "hook": hook("aws_vpc.main", "create", elapsed_seconds=10)},
        {"type": "apply_complete", "hook": hook("aws_vpc.main", "create", elapsed_seconds=11)},
        {"type": "apply_errored", "hook": hook("aws_s3_bucket.images", "delete", elapsed_seconds=0)},
    )
    assert [event.data["status"] for event in events] == [
        "CREATE_IN_PROGRESS", "WAITING", "CREATE_COMPLETE", "DELETE_FAILED",
    ]  # fmt: skip
    assert events[2].data == {
        "id": "aws_vpc.main", "type": "aws_vpc", "status": "CREATE_COMPLETE", "seconds": 11,
    }  # fmt: skip
    assert stream.changed


def test_reading_what_exists_is_no_change() -> None:
    stream, events = taken(
        {"type": "apply_start", "hook": hook("data.aws_caller_identity.current", "read")},
        {"type": "apply_complete", "hook": hook("data.aws_caller_identity.current", "read")},
        {"type": "refresh_complete", "hook": {"resource": {"addr": "aws_vpc.main"}}},
    )
    assert (events, stream.changed) == ([], False)


def test_errors_are_kept_with_their_place_and_warnings_told() -> None:
    stream, events = taken(
        {"type": "diagnostic", "diagnostic": ERROR},
        {"type": "diagnostic", "diagnostic": {**ERROR, "severity": "warning", "summary": "Deprecated"}},
        {"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "Incomplete lock file"}},
    )
    assert [str(error.finding()) for error in stream.errors] == [
        "main.tf, line 12: Reference to undeclared resource. A managed resource is not declared"
    ]
    assert [(event.kind, event.text.split(".")[0]) for event in events] == [("warning", "main")]


def test_outputs_without_a_value_yet_are_left_out() -> None:
    stream, _ = taken({"type": "outputs", "outputs": {"A": {"action": "create"}, "B": {"value": "b"}}})
    assert stream.outputs == {"B": "b"}
    assert outputs('{"B": {"value": 3, "sensitive": false}}') == {"B": "3"}


@pytest.mark.parametrize("line", ["", "panic: runtime error", "[1]", "\x1b[31mError"])
def test_lines_that_are_no_messages_do_no_harm(line: str) -> None:
    stream, events = taken(line)
    assert events == []
    assert stream.other == ([line] if line and line != "[1]" else stream.other)


def test_unknown_messages_are_passed_over() -> None:
    stream, events = taken({"type": "something_new", "hook": {}}, {"@message": "no type"})
    assert (stream.errors, events) == ([], [])


def test_a_plan_names_what_forces_a_replacement() -> None:
    plan = {
        "resource_changes": [
            {"address": "aws_vpc.main", "type": "aws_vpc", "change": {"actions": ["no-op"]}},
            {"address": "data.x.y", "type": "x", "change": {"actions": ["read"]}},
            {"address": "aws_a.b", "type": "aws_a", "change": {"actions": ["create"], "before": None, "after": {}}},
            {
                "address": "aws_instance.server", "type": "aws_instance",
                "change": {"actions": ["delete", "create"], "replace_paths": [["user_data"]]},
            },
            {
                "address": "aws_lambda_function.f", "type": "aws_lambda_function",
                "change": {
                    "actions": ["update"], "before": {"timeout": 3, "name": "f", "hash": "1"},
                    "after": {"timeout": 60, "name": "f", "hash": "1"}, "after_unknown": {"hash": True},
                },
            },
            {"address": "aws_c.d", "type": "aws_c", "change": {"actions": ["delete"]}},
        ]
    }  # fmt: skip
    assert changes(plan) == (
        Change("aws_a.b", "aws_a", "create"),
        Change("aws_instance.server", "aws_instance", "replace", ("user_data",)),
        Change("aws_lambda_function.f", "aws_lambda_function", "update", ("hash", "timeout")),
        Change("aws_c.d", "aws_c", "delete"),
    )


def test_validation_keeps_errors_only() -> None:
    text = json.dumps({"valid": False, "diagnostics": [ERROR, {**ERROR, "severity": "warning"}]})
    assert [found.line for found in validated(text)] == [12]


# ---- One message for each known trouble ---------------------------------------------------------------


def said(summary: str, detail: str = "", address: str = "") -> Diagnostic:
    return Diagnostic("error", summary, detail, address, "", 0)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (said("Error acquiring the state lock", "resource temporarily unavailable"), "still at work", "Wait"),
        (said("Error acquiring the state lock", "the state could not be parsed as JSON"), "is damaged", "./lab destroy"),
        (said("Failed to save state", "write terraform.tfstate: no space left on device"), "disk is full", "Free"),
        (
            said("Failed to query available provider packages", "provider hashicorp/aws: no such host"),
            "AWS provider can't be fetched", "LAB_TF_MIRROR",
        ),
        (
            said("Failed to query available provider packages", "provider hashicorp/random: not found"),
            "A provider can't be fetched", "no other",
        ),
        (said("Unsupported Terraform Core version"), "does not fit", "Install Terraform"),
        (said("creating VPC", "api error ExpiredTokenException: …"), "have expired", "Learner Lab"),
        (said("No valid credential sources found"), "does not know your credentials", "aws configure"),
        (said("dial tcp 127.0.0.1:1: connect: connection refused"), "does not answer", "./lab cloud status"),
        (said("creating IAM Role", "EntityAlreadyExists: Role x already exists."), "x already", "./lab destroy"),
        (said("creating VPC", "UnauthorizedOperation: You are not authorized to perform …"), "denied", "--lab-role"),
        (Diagnostic("error", "Invalid reference", "", "", "main.tf", 7), "main.tf, line 7: Invalid", "main.tf, line 7"),
        (said("Something {odd} went wrong", "", "aws_vpc.main"), "{odd}", "aws_vpc.main"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_message_and_the_next_thing_to_do(
    error: Diagnostic, message: str, hint: str
) -> None:
    told = failed("apply", [error, said("a later one")], [], "/log")
    assert message in told.message
    assert hint in told.hint
    assert "a later one" not in told.message


def test_a_terraform_that_breaks_says_its_last_words() -> None:
    told = failed("apply", [], ["panic: runtime error", "goroutine 1"], "/log")
    assert "goroutine 1" in told.message
    assert "/log" in told.hint


def test_warnings_are_not_shown_to_those_who_do_not_listen() -> None:
    Stream(ignore).line(json.dumps({"type": "diagnostic", "diagnostic": {**ERROR, "severity": "warning"}}))


ODD_LINES = [
    '{"type": "diagnostic"}',
    '{"type": "diagnostic", "diagnostic": []}',
    '{"type": "diagnostic", "diagnostic": {"range": 3}}',
    '{"type": "apply_complete", "hook": {"action": [], "resource": {}}}',
    '{"type": "apply_start", "hook": null}',
    '{"type": "outputs", "outputs": [1]}',
    '{"type": "planned_change", "change": {"action": {}}}',
]


@pytest.mark.parametrize("line", ODD_LINES)
def test_what_terraform_would_not_write_is_a_failure_of_the_files(line: str) -> None:
    with pytest.raises(DeployError, match="not what Terraform writes"):
        Stream(ignore).line(line)


@pytest.mark.parametrize("text", ["", "[]", "no", "[" * 100_000, '{"a": ' * 100_000, '"x"', "1e999999"])
def test_nor_is_a_plan_anything_but_an_object(text: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError):
        terraform_stream.changes(terraform_stream.read_object(text) | {"resource_changes": 1})
    (tmp_path / "state").write_text(text)
    for read in (terraform_stream.outputs, terraform_stream.validated):
        with pytest.raises(DeployError):
            read(text or "no")
    if text:
        with pytest.raises(DeployError):
            terraform_stream.outputs_of_state(tmp_path / "state")


def test_a_line_nested_too_deep_is_no_json() -> None:
    stream = Stream(ignore)
    stream.line("[" * 100_000)
    assert len(stream.other) == 1
