"""Which engine deploys: what is wanted, what is remembered, what the course allows, what stands."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from labkit.base.errors import DeployError, UsageError
from labkit.base.events import ignore
from labkit.deploy.cloudformation import CloudFormation, parameter_name
from labkit.deploy.engines import (
    NAMES,
    TITLES,
    OtherEngineStands,
    choose,
    make_engine,
    refuse_switch,
    standing,
)
from labkit.deploy.model import Finding, Source, Survivor
from labkit.deploy.targets import Clients, Target
from labkit.deploy.terraform import Terraform
from labkit.deploy.terraform_command import Setup


@pytest.mark.parametrize(
    ("wanted", "remembered", "allowed", "chosen"),
    [
        (None, "terraform", NAMES, "terraform"),
        ("cloudformation", "terraform", NAMES, "cloudformation"),
        (None, "cloudformation", ("terraform",), "terraform"),
        ("terraform", "cloudformation", ("terraform",), "terraform"),
    ],
)
def test_the_wanted_else_the_remembered(
    wanted: str | None, remembered: str, allowed: tuple[str, ...], chosen: str
) -> None:
    assert choose(wanted, remembered, allowed) == chosen


def test_what_the_course_does_not_use_is_refused() -> None:
    with pytest.raises(UsageError, match="uses Terraform only") as caught:
        choose("cloudformation", "terraform", ("terraform",))
    assert "--engine terraform" in caught.value.hint


def test_each_name_makes_its_engine(tmp_path: Path) -> None:
    clients, source = Clients(Target("local", "r", "http://127.0.0.1:1")), Source("n", tmp_path)
    made = [make_engine(name, clients, source, ignore, Setup(tmp_path)) for name in NAMES]
    assert [type(engine) for engine in made] == [CloudFormation, Terraform]
    assert tuple(engine.engine for engine in made) == NAMES
    with pytest.raises(UsageError, match="no engine pulumi"):
        make_engine("pulumi", clients, source, ignore, Setup(tmp_path))


def test_terraform_without_a_state_stands_for_nothing_and_starts_nothing(tmp_path: Path) -> None:
    engine = make_engine(
        "terraform",
        Clients(Target("local", "r", "http://127.0.0.1:1")),
        Source("n", tmp_path),
        ignore,
        Setup(tmp_path),
    )
    assert engine.current().status == "absent"
    engine.destroy()
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Account:
    """Clients of an account with one stack, or none, and things of the lab beside it."""

    stack: str
    left: tuple[Survivor, ...] = ()
    target: Target = field(default_factory=lambda: Target("local", "r", "http://127.0.0.1:1"))

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName: str) -> Any:
        if not self.stack:
            error: Any = {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.stack}]}


VPC, LOGS = Survivor("ec2", "VPC", "vpc-1", "tag"), Survivor("logs", "log group", "g", "name")


@pytest.mark.parametrize(
    ("account", "made"),
    [
        (Account(""), ""),
        (Account("CREATE_COMPLETE", (VPC,)), "cloudformation"),
        (Account("", (VPC,)), "terraform"),
        (Account("ROLLBACK_COMPLETE", (VPC,)), "terraform"),
        (Account("ROLLBACK_COMPLETE"), ""),
        (Account("", (LOGS,)), ""),
    ],
)
def test_which_engine_made_what_stands_is_asked_of_the_account(
    account: Account, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.deploy.removing.survivors.find", lambda clients, **_: list(clients.left))
    clients, source = cast(Clients, account), Source("n", tmp_path, tags={"lab:variant": "n"})
    assert standing(clients, source) == made
    for wanted in NAMES:
        refused = pytest.raises(OtherEngineStands, match=f"made with {TITLES.get(made)}")
        with refused if made not in ("", wanted) else contextlib.nullcontext():
            refuse_switch(wanted, clients, source)


def test_choices_are_named_as_each_engine_names_them() -> None:
    assert [parameter_name(name) for name in ("lab_role", "instance_type", "port")] == [
        "LabRole", "InstanceType", "Port",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("wrong", "main.tf", 3), "main.tf, line 3: wrong"),
        (Finding("wrong", "main.tf"), "main.tf: wrong"),
        (Finding("wrong"), "wrong"),
    ],
)
def test_a_finding_names_its_place_as_far_as_it_is_known(finding: Finding, text: str) -> None:
    assert str(finding) == text


NOWHERE = Target("local", "r", "http://127.0.0.1:1")


@dataclass(frozen=True)
class Refusing:
    """Clients whose every call fails with one error."""

    error: Exception
    target: Target = NOWHERE

    def client(self, service: str) -> Any:
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> None:
            raise self.error

        return call


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "have expired"),
        ("InvalidClientTokenId", "The security token is invalid.", "does not know your credentials"),
        ("AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks", "denied"),
        ("ValidationError", "Template format error", "Template format error"),
    ],
)
def test_cloudformation_tells_the_same_troubles_in_the_same_words(
    tmp_path: Path, code: str, message: str, told: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")
    engine = make_engine("cloudformation", Refusing(error), Source("n", tmp_path), ignore, Setup(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(DeployError, match=told) as caught:
        engine.current()
    assert caught.value.hint


def test_a_cloud_that_is_gone_is_told(tmp_path: Path) -> None:
    clients = Clients(Target("local", "eu-west-1", "http://127.0.0.1:1"))
    engine = make_engine("cloudformation", clients, Source("n", tmp_path), ignore, Setup(tmp_path))
    with pytest.raises(DeployError, match="does not answer"):
        engine.current()
