"""Nothing is begun with credentials that could not finish it: a session on the local cloud, from fresh to ended.

AWS: STS API reference, AssumeRole (DurationSeconds, Expiration); IAM user guide, "Temporary security credentials".
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import DeployError
from labkit.base.events import Event
from labkit.cli.console import PlainConsole
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy import credentials
from labkit.deploy.engines import NAMES, make_engine
from labkit.deploy.model import Source
from labkit.deploy.targets import Clients, Keys, Target
from labkit.deploy.terraform_command import Setup

REGION = "eu-west-1"
pytestmark = pytest.mark.slow
ROLE = {
    "RoleName": "voclabs",
    "AssumeRolePolicyDocument": json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
        }
    ),
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    made = LocalCloud(tmp_path_factory.mktemp("cloud"))
    try:
        iam = Clients(made.ensure().target(REGION)).client("iam")
        iam.create_role(**ROLE)
        iam.put_role_policy(RoleName="voclabs", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def target(local: LocalCloud) -> Target:
    return local.ensure().target(REGION)


@pytest.fixture(scope="module")
def session(local: LocalCloud) -> Keys:
    """A session of the shortest that STS gives: a quarter of an hour."""
    return local.session_of("voclabs", "user1", 900)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def require(target: Target, session: Keys, told: list[Event]) -> Callable[..., None]:
    """Asks whether something may begin, so many seconds after now by our clock's count of the session."""

    def ask(what: str, *, left: float | None = None, keys: Keys = session, skew: float = 0) -> None:
        if left is not None:
            keys = replace(keys, ends=time.time() + left)
        clients = Clients(target, keys)
        credentials.require(clients, what, told.append, environment={}, clock=lambda: time.time() + skew)

    return ask


def test_a_session_that_lasts_may_begin(require: Callable[..., None], told: list[Event]) -> None:
    require("apply")
    assert told == []


def test_an_apply_that_could_not_finish_is_not_begun(require: Callable[..., None]) -> None:
    with pytest.raises(DeployError, match=r"end in 6 min; apply on AWS may take 10 min") as caught:
        require("apply", left=360)
    assert "Nothing was started" in caught.value.hint
    require("plan", left=360)


def test_a_destroy_begins_with_what_time_is_left(require: Callable[..., None], told: list[Event]) -> None:
    require("destroy", left=600)
    assert "next run" in told[0].text
    with pytest.raises(DeployError, match="ended 20 s ago"):
        require("destroy", left=-20)


def test_a_session_without_a_known_end_is_begun_with_a_warning(
    require: Callable[..., None], session: Keys, told: list[Event]
) -> None:
    require("apply", keys=replace(session, ends=None))
    assert [event.kind for event in told] == ["warning"]
    assert "nobody can tell" in told[0].text


@pytest.mark.parametrize(("skew", "where"), [(720, "12 min ahead of"), (-720, "12 min behind")])
def test_a_wrong_clock_is_told_with_its_error(require: Callable[..., None], skew: float, where: str) -> None:
    with pytest.raises(DeployError, match=where) as caught:
        require("plan", skew=skew, left=7200)
    assert "wsl --shutdown" in caught.value.hint


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"token": "wrong"}, "does not know your credentials"), ({"secret_access_key": "x"}, "does not know")],
)
def test_wrong_keys_are_told(require: Callable[..., None], session: Keys, changed: Any, message: str) -> None:
    with pytest.raises(DeployError, match=message):
        require("plan", keys=replace(session, **changed))


@pytest.fixture(scope="module")
def ended(local: LocalCloud) -> Keys:
    """A session of one second, which is over; nobody knows its end but AWS. STS itself gives none below 900."""
    keys = local.session_of("voclabs", "user1", 1)
    assert keys.ends is not None
    time.sleep(max(0, keys.ends - time.time()) + 0.1)  # the state waited for is a moment of the clock
    return replace(keys, ends=None)


@pytest.mark.parametrize("name", NAMES)
def test_no_engine_begins_with_an_ended_session(
    target: Target, ended: Keys, name: str, tmp_path: Path
) -> None:
    if name == "terraform" and shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed here")
    (tmp_path / "main.tf").write_text("")
    (tmp_path / "terraform.tfstate").write_text("{}")
    seen: list[Event] = []
    engine = make_engine(
        name, Clients(target, ended), Source("n", tmp_path), seen.append, Setup(tmp_path / "kit")
    )
    for act in (engine.plan, engine.apply, engine.destroy):
        with pytest.raises(DeployError, match="have expired") as caught:
            act()
        screen = io.StringIO()
        PlainConsole(screen).error(caught.value)
        lines = screen.getvalue().splitlines()
        assert len(lines) <= 8, lines
        assert max(map(len, lines)) <= 80, lines
        assert "fresh" in caught.value.hint
    assert seen == []
    assert not (tmp_path / ".terraform").exists()


# ---- As a student meets it, through ./lab ------------------------------------------------------------

LOOKING = [
    ("sweep", "--target", "aws", "--region", REGION),
    ("evidence", "--region", REGION),
    ("cloud", "trace", "i-0abc", "10.0.0.1", "443", "--aws", REGION),
]


def screen(lab: Any, target: Target, keys: dict[str, str], *words: str) -> str:
    """What ./lab says when it is to ask an AWS that answers here, with these keys; no line is wider than 80 columns."""
    lab.run("generate", "--student", "ada@uni.edu")
    around = {"AWS_ENDPOINT_URL": target.endpoint_url, "AWS_EC2_METADATA_DISABLED": "true", **keys}
    run = lab.with_variables(**around).run(*words, "--plain")
    assert run.status != 0, run
    assert "inside the kit" not in run.output, run
    lines = run.output[run.output.index("✗") :].splitlines()
    assert len(lines) <= 8, lines
    assert max(map(len, lines)) <= 80, lines
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("words", LOOKING, ids=lambda words: words[0])
def test_a_session_that_is_over_and_a_token_that_was_forgotten(
    lab: Any, target: Target, ended: Keys, session: Keys, words: tuple[str, ...]
) -> None:
    over = screen(lab, target, dict(ended.environment()), *words)
    forgotten = screen(lab, target, dict(replace(session, token="").environment()), *words)
    assert "Your AWS credentials have expired" in over
    assert "the third line is missing: aws_session_token" in forgotten
    for said in (over, forgotten):
        for part in (
            "Nothing was started",
            "Start Lab",
            "all three lines into ~/.aws/credentials",
            "same command again",
        ):
            assert part in said, said
    assert "does not know your credentials" in screen(lab, target, {}, *words)


def test_a_wrong_region(lab: Any, target: Target, session: Keys) -> None:
    for words in LOOKING:
        mistyped = [word.replace(REGION, "us-esat-1") for word in words]
        said = screen(lab, target, dict(session.environment()), *mistyped)
        assert "AWS has no region us-esat-1" in said
        assert "us-east-1" in said
    another = screen(lab, target, dict(session.environment()), "evidence", "--region", "us-west-2")
    assert "No lab of ada@uni.edu stands in us-west-2" in another
    assert "./lab evidence --region us-east-1" in another


# ---- Where nobody gave keys: as boto3 finds them -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ends", "dated"),
    [
        ("aws_session_token = t", None, True),
        ("aws_session_token = t\nx_security_token_expires = 2026-01-02T03:04:05+00:00", 1767323045, True),
        ("aws_session_token = t\nexpiration = 2026-01-02T03:04:05Z", 1767323045, True),
        ("aws_session_token = t\naws_expiration = soon", None, True),
    ],
)
def test_the_end_is_read_where_tools_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, ends: float | None, dated: bool
) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[default]\naws_access_key_id = ASIAX\naws_secret_access_key = s\n{text}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    found = credentials.found(Clients(Target("aws", REGION)), {})
    assert (found.temporary, found.ends, found.written is not None) == (True, ends, dated)


def test_the_end_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "ASIAX", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    around = {**variables, "AWS_CREDENTIAL_EXPIRATION": "2026-01-02T03:04:05Z"}
    found = credentials.found(Clients(Target("aws", REGION)), around)
    assert found == credentials.Session(True, 1767323045)


def test_a_learner_labs_keys_end_four_hours_after_they_were_pasted_at_the_latest(
    target: Target, tmp_path: Path, session: Keys, monkeypatch: pytest.MonkeyPatch, told: list[Event]
) -> None:
    """Its three lines name no end; the file's age bounds it."""
    path = tmp_path / "credentials"
    lines = {
        "aws_access_key_id": session.access_key_id,
        "aws_secret_access_key": session.secret_access_key,
        "aws_session_token": session.token,
    }
    path.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items()))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    clients = Clients(Target("aws", REGION, target.endpoint_url))
    credentials.require(clients, "apply", told.append, environment={})
    pasted = time.time() - 4 * 3600 + 300
    os.utime(path, (pasted, pasted))
    with pytest.raises(DeployError, match="end in 5 min; apply"):
        credentials.require(clients, "apply", told.append, environment={})
    assert told == []
