"""What a step knows of AWS before it goes there, and what it asks of a server that nobody can look into."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labkit
from labkit.base.errors import DeployError, LabError, UsageError
from labkit.base.events import Event, ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy import credentials, troubles
from labkit.deploy.credentials import Holder
from labkit.lesson import agreeing, aws, preflight, progress, roles
from labkit.lesson.context import Context
from labkit.lesson.engine import module_of
from labkit.lesson.faults import faults
from labkit.lesson.model import Options, Places
from labkit.lesson.path.invoking import Answer
from labkit.lesson.place import READY_SECONDS, OnAws, boot_state

ROOT = Path(labkit.__file__).resolve().parent.parent
MANIFEST = load(ROOT)
OWN = Holder("111122223333", "arn:aws:iam::111122223333:user/ada")
LAB = Holder("444455556666", "arn:aws:sts::444455556666:assumed-role/voclabs/user1=Ada", ends=2e9)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspaces(tmp_path, MANIFEST).generate("ada@uni.edu").workspace
    return replace(made, place="aws")


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> Callable[[Holder], None]:
    return lambda found: monkeypatch.setattr(credentials, "require", lambda *_: found)


def context(tmp_path: Path, ask: Callable[[Sequence[str]], str] | None = None, **options: Any) -> Context:
    places = Places(ROOT, tmp_path)
    more = {"ask": ask} if ask else {}
    return Context(places, MANIFEST, Options(**options), ignore, LocalCloud(places.state / "cloud"), **more)


def deployed(workspace: Workspace, found: Holder, region: str) -> None:
    workspace.save_standing(
        region=region, digits=found.account[-4:], account=aws.fingerprint(workspace, found), agreed=True
    )
    workspace.save_deployed(engine="terraform", target="aws", outputs={"VpcId": "vpc-1"})


# ---- Where ------------------------------------------------------------------------------------------------


def test_the_region_is_the_one_asked_for_then_the_one_of_before_then_the_usual_one(
    workspace: Workspace,
) -> None:
    assert aws.region("aws", "", workspace, "ap-south-1") == "ap-south-1"
    assert aws.region("learner-lab", "", workspace, "ap-south-1") == "us-east-1"
    assert aws.region("aws", "eu-west-1", workspace, "ap-south-1") == "eu-west-1"
    deployed(workspace, OWN, "eu-west-1")
    assert aws.region("aws", "", workspace, "ap-south-1") == "eu-west-1"
    with pytest.raises(
        DeployError, match="stands in eu-west-1; in us-east-1 it would be a second one"
    ) as caught:
        aws.region("aws", "us-east-1", workspace, "ap-south-1")
    assert "./lab destroy --target aws" in caught.value.hint


def test_what_stands_on_aws_and_what_stands_here_are_kept_apart(workspace: Workspace) -> None:
    local = replace(workspace, place="")
    local.save_deployed(engine="cloudformation", target="local", outputs={"VpcId": "vpc-0"})
    local.record_step("03")
    deployed(workspace, OWN, "eu-west-1")
    assert (local.standing.engine, workspace.standing.engine) == ("cloudformation", "terraform")
    assert local.standing.deployed["outputs"] == {"VpcId": "vpc-0"}
    assert workspace.standing.deployed["outputs"] == {"VpcId": "vpc-1"}
    assert (set(local.steps_done()), set(workspace.steps_done())) == ({"03"}, set())
    assert workspace.places() == ("aws",)
    assert OWN.account not in (workspace.kept / "standing.json").read_text()


def test_a_target_is_remembered_for_what_stands_and_every_screen_begins_with_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    assert context(tmp_path).target == "local"
    assert context(tmp_path, target="aws").target_words == "AWS, ap-south-1"
    deployed(workspace, OWN, "eu-west-1")
    context(tmp_path).go_on_at("aws")
    assert context(tmp_path).target_words == "AWS, eu-west-1, account …3333"
    context(tmp_path, target="local").leave()
    assert context(tmp_path).target == "aws", "another target's end changes nothing"
    assert context(tmp_path, target="local").target_words == "local cloud"
    lines = [text for text, _ in progress.overview(context(tmp_path, target="local"))]
    assert "also stands: in AWS, eu-west-1, account …3333   (--target aws)" in lines
    context(tmp_path, target="aws").leave()
    assert context(tmp_path).target == "local"


def test_a_damaged_record_is_told_with_the_way_to_move_it_aside(workspace: Workspace) -> None:
    workspace.save_standing(region="eu-west-1")
    (workspace.kept / "standing.json").write_text('{"format": 1, "colour": 7}')
    with pytest.raises(LabError, match=r"standing\.json is damaged") as caught:
        _ = workspace.standing
    assert "mv " in caught.value.hint


def test_steps_that_take_a_target_are_those_that_are_done_at_one() -> None:
    named = {step.name for step in MANIFEST.steps if "target" in module_of(step.name).OPTIONS}
    assert named == {*progress.AT_A_TARGET, "doctor"}


# ---- What is refused before anything is begun -------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "name", "region", "message", "way"),
    [
        (LAB, "learner-lab", "eu-west-1", "opens us-east-1 and us-west-2 only, not eu-west-1", "--region us-east-1"),
        (OWN, "learner-lab", "us-east-1", "no Learner Lab's: AWS calls you user/ada", "--target aws"),
        (LAB, "aws", "us-east-1", "are a Learner Lab's", "--target learner-lab"),
        (OWN, "aws", "us-esat-1", "has no region us-esat-1", "us-east-1"),
        (replace(OWN, account="999900001111"), "aws", "us-east-1", "of the account …1111; your lab stands in …3333", "--forget"),
    ],
)  # fmt: skip
def test_a_wrong_account_or_region_is_refused(
    workspace: Workspace, holder: Callable[[Holder], None], found: Holder, name: str, region: str, message: str, way: str
) -> None:  # fmt: skip
    deployed(workspace, OWN, "us-east-1")
    holder(found)
    with pytest.raises(LabError, match=message) as caught:
        aws.arrive(name, region, workspace, ignore, {})
    assert way in caught.value.hint


def test_a_terminal_that_means_another_cloud_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL is set here") as caught:
        aws.arrive("aws", "us-east-1", workspace, ignore, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert "exit" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("AccessDenied: … with an explicit deny in a service control policy", "policy of the organization"),
        ("VpcLimitExceeded: The maximum number of VPCs has been reached.", "as many VPCs"),
        ("OperationAborted: A conflicting conditional operation is currently in progress", "not done with a bucket"),
        ("decreases account's UnreservedConcurrentExecution below its minimum value of [10]", "too small to reserve"),
        ("VcpuLimitExceeded: You have requested more vCPU capacity", "no room for another instance"),
    ],
)  # fmt: skip
def test_what_an_account_refuses_is_told_as_no_mistake_of_the_files(said: str, means: str) -> None:
    found = troubles.known(said)
    assert found is not None
    assert means in found.message
    assert found.hint


# ---- The word ---------------------------------------------------------------------------------------------


def test_the_word_is_asked_for_once_for_an_account(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def arrived(word: str, found: Holder = OWN, **options: Any) -> Context:
        def ask(lines: Sequence[str]) -> str:
            shown[:] = lines
            return word

        made = context(tmp_path, ask, target="aws", region="us-east-1", **options)
        clients = SimpleNamespace(target=SimpleNamespace(region="us-east-1"), client=None)
        made.__dict__["arrival"] = aws.Arrival(clients, found)  # type: ignore[arg-type]
        made.__dict__["source"] = SimpleNamespace(choices={})
        monkeypatch.setattr(preflight, "warn", lambda _: shown.append("looked ahead"))
        return made

    with pytest.raises(UsageError, match="not the word AWS"):
        agreeing.agree(arrived("yes\n"))
    text = "\n".join(shown)
    assert "account …3333" in text
    assert "no end is known" in text
    assert "USD an hour" in text
    agreeing.agree(arrived("AWS\n"))
    shown.clear()
    agreeing.agree(arrived("no\n"))
    assert shown == ["looked ahead"]
    with pytest.raises(UsageError, match="not the word AWS"):
        agreeing.agree(arrived("no\n", LAB))
    agreeing.agree(arrived("no\n", LAB, yes=True))
    with pytest.raises(UsageError, match="Nobody is here") as caught:
        context(tmp_path).ask([])
    assert "--yes" in caught.value.hint


# ---- Roles ------------------------------------------------------------------------------------------------


def choosing(
    workspace: Workspace, has: Sequence[str], own: str = "", asked: str | None = None
) -> tuple[Any, list[Event]]:
    from botocore.exceptions import ClientError

    def get_role(RoleName: str) -> None:
        if RoleName not in has:
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": ""}}, "GetRole")

    told: list[Event] = []
    clients = SimpleNamespace(client=lambda _: SimpleNamespace(get_role=get_role))
    return roles.choose(
        SimpleNamespace(  # type: ignore[arg-type]
            workspace=workspace, clients=clients, own_role=own, options=Options(lab_role=asked), emit=told.append
        )
    ), told  # fmt: skip


def test_a_role_that_the_account_lacks_is_refused_and_not_remembered(workspace: Workspace) -> None:
    with pytest.raises(DeployError, match="This account has no role LabRole") as caught:
        choosing(workspace, [], asked="LabRole")
    assert "./lab deploy --lab-role ''" in caught.value.hint
    assert choosing(workspace, []) == ({}, [])


def test_a_role_of_another_account_is_not_kept(workspace: Workspace) -> None:
    assert choosing(workspace, ["LabRole"], asked="LabRole")[0] == {"lab_role": "LabRole"}
    assert choosing(workspace, ["LabRole"])[0] == {"lab_role": "LabRole"}
    chosen, told = choosing(workspace, [])
    assert chosen == {}
    assert "has no role LabRole, which was chosen before" in told[0].text
    assert choosing(workspace, ["LabRole"]) == ({}, [])
    assert choosing(workspace, ["LabRole"], own="LabRole")[0] == {"lab_role": "LabRole"}


# ---- A server that nobody can look into ----------------------------------------------------------------------


FINISHED = "Cloud-init v. 22.2.2 finished at Tue, 01 Dec 2026 00:00:00 +0000. Datasource DataSourceEc2.  Up 30 seconds"


@pytest.mark.parametrize(
    ("console", "state"),
    [
        ([], "unknown"),
        (["[  OK  ] Started something."], "unknown"),
        (["+ systemctl start flask-app", FINISHED], "ok"),
        (["cc_scripts_user.py[WARNING]: Failed to run module scripts-user (scripts in /var)", FINISHED], "failed"),
    ],
)  # fmt: skip
def test_the_console_says_how_the_boot_ended(console: list[str], state: str) -> None:
    assert boot_state(console) == state


@pytest.mark.parametrize(
    ("console_at", "health_at", "state", "waited"),
    [(60.0, 9e9, "ok", 60), (9e9, 40.0, "ok", 40), (9e9, 9e9, "unknown", READY_SECONDS)],
)
def test_running_is_not_ready_and_waiting_ends(
    monkeypatch: pytest.MonkeyPatch, console_at: float, health_at: float, state: str, waited: float
) -> None:
    now, told = [1_000_000.0], list[Event]()
    began = now[0]
    instance = {"State": {"Name": "running"}, "LaunchTime": datetime.fromtimestamp(began, UTC)}
    ec2 = SimpleNamespace(
        describe_instances=lambda **_: {"Reservations": [{"Instances": [instance]}]},
        get_console_output=lambda **_: {"Output": FINISHED} if now[0] >= began + console_at else {},
    )
    answers = lambda *_: Answer(200 if now[0] >= began + health_at else 504, {}, "", "", 5.0)  # noqa: E731
    monkeypatch.setattr("labkit.lesson.place.invoke", answers)
    place = OnAws(
        SimpleNamespace(client=lambda _: ec2), told.append,  # type: ignore[arg-type]
        clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
    )  # fmt: skip
    boot = place.await_boot({"InstanceId": "i-1", "LambdaFunctionName": "f"})
    assert boot["state"] == state
    assert now[0] - began == pytest.approx(waited, abs=5)
    assert "2 to 4 minutes" in told[0].text
    with pytest.raises(UsageError, match="nobody looks inside a server on AWS"):
        place.output_inside("i-1", ["true"])


def test_each_fault_is_made_on_aws_or_says_why_not() -> None:
    assert set(faults.ON_AWS) <= {fault.name for fault in faults.ALL}
    for fault in faults.ALL:
        assert bool(faults.why_not_on_aws(fault.name)) == (fault.name not in faults.ON_AWS)
    assert not any(faults.by_name(name).inside for name in faults.ON_AWS)
