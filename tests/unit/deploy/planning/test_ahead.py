"""What an account would refuse is said with its line before anything is begun; the lab's own files are refused nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from labkit.deploy.planning import ahead

MAIN = """
resource "aws_instance" "server" {
  instance_type = "m5.2xlarge"
  root_block_device {
    volume_size = 200
    volume_type = "io2"
  }
}
resource "aws_lambda_function" "f" {
  reserved_concurrent_executions = 5 # of all
}
resource "aws_iam_role" "always" {
  name = "x"
}
resource "aws_iam_role" "unless" {
  count = var.lab_role == "" ? 1 : 0
}
"""
TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: [{Condition: {}}]}
  Own:
    Type: AWS::IAM::Role
    Condition: CreateRoles
  Function:
    Type: AWS::Lambda::Function
    Properties:
      ReservedConcurrentExecutions: 0
"""


def said(files: dict[str, str], engine: str, *, learner_lab: bool, concurrency: int = 0) -> list[str]:
    data = {name: text.encode() for name, text in files.items()}
    return [
        str(each) for each in ahead.stated(data, engine, learner_lab=learner_lab, concurrency=concurrency)
    ]


def test_what_a_learner_lab_refuses_is_said_with_its_line() -> None:
    found = said({"main.tf": MAIN}, "terraform", learner_lab=True, concurrency=10)
    assert [text.split(":")[0] for text in found] == [
        f"main.tf, line {line}" for line in (10, 3, 5, 6, 12)
    ]  # fmt: skip
    assert "reserves 5 executions of the 10" in found[0]
    assert "nobody make one" in found[-1]


def test_an_account_of_ones_own_refuses_only_what_it_has_not_got() -> None:
    assert len(said({"main.tf": MAIN}, "terraform", learner_lab=False, concurrency=10)) == 1
    assert said({"main.tf": MAIN}, "terraform", learner_lab=False, concurrency=1000) == []
    assert said({"main.tf": MAIN}, "terraform", learner_lab=False) == []


def test_a_template_is_read_as_well() -> None:
    found = said(
        {"cloudformation-template.yaml": TEMPLATE}, "cloudformation", learner_lab=True, concurrency=10
    )
    assert [text.split(":")[0] for text in found] == ["cloudformation-template.yaml, line 3"]


@pytest.mark.parametrize(
    ("vpcs", "running", "learner_lab", "words"),
    [(1, 1, True, []), (5, 9, False, ["5 VPCs"]), (5, 9, True, ["5 VPCs", "9 instances run"])],
)
def test_an_account_without_room_is_said(
    vpcs: int, running: int, learner_lab: bool, words: list[str]
) -> None:
    pages: Any = [{"Reservations": [{"Instances": [{}]}] * running}]
    ec2 = SimpleNamespace(
        describe_vpcs=lambda: {"Vpcs": [{}] * vpcs},
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: pages),
    )
    clients: Any = SimpleNamespace(client=lambda _: ec2)
    found = list(ahead.room(clients, learner_lab=learner_lab))
    assert [text[: len(word)] for text, word in zip(found, words, strict=True)] == words
