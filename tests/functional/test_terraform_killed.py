"""Kill −9 while Terraform is at work: the same again carries on, and destroy finds what nobody knows any more.

A small configuration without the provider's long waits stands in for the lab. `make verify` takes every event, every run takes one.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from labkit.base.errors import DeployError
from labkit.base.events import Event, ignore
from labkit.cloud.client.lifecycle import LocalCloud, leashed
from labkit.deploy.model import Source
from labkit.deploy.removing import cleanup, survivors
from labkit.deploy.targets import Clients, Target
from labkit.deploy.terraform import Terraform
from labkit.deploy.terraform_command import Setup

PREFIX, CODE = "hybrid-killed", "killed"
#: six resources, each begun and complete
EVENTS = range(1, 13)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here"),
]

CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}
variable "region" {}
provider "aws" {
  region = var.region
  default_tags { tags = { "lab:variant" = "killed" } }
}
resource "aws_security_group" "one" { name = "hybrid-killed-one" }
resource "aws_security_group_rule" "two" {
  type = "ingress"
  protocol = "tcp"
  from_port = 80
  to_port = 80
  source_security_group_id = aws_security_group.one.id
  security_group_id = aws_security_group.one.id
}
resource "aws_cloudwatch_log_group" "one" { name = "hybrid-killed-one" }
resource "aws_dynamodb_table" "one" {
  name         = "hybrid-killed-${aws_security_group.one.name}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_s3_bucket" "one" { bucket = "hybrid-killed-${aws_cloudwatch_log_group.one.name}" }
resource "aws_s3_bucket_public_access_block" "one" { bucket = aws_s3_bucket.one.id }
output "Bucket" { value = aws_s3_bucket.one.id }
"""

#: what the process that is killed runs: one word of the driver, each event as a line
CODE_OF_THE_KILLED = """
import json, sys
from pathlib import Path
from labkit.deploy.model import Source
from labkit.deploy.terraform import Terraform
from labkit.deploy.terraform_command import Setup
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Clients
folder, kit, cloud, word = sys.argv[1:]
tell = lambda event: print(json.dumps({"text": event.text, **event.data}), flush=True)
source = Source("hybrid-killed", Path(folder))
clients = Clients(LocalCloud(Path(cloud)).ensure().target("eu-west-1"))
getattr(Terraform(clients, source, tell, Setup(Path(kit))), word)()
"""


@dataclass(frozen=True)
class Place:
    """A folder with the configuration, and the cloud that it is applied to."""

    folder: Path
    kit: Path
    clients: Clients
    cloud: Path

    @property
    def engine(self) -> Terraform:
        return Terraform(self.clients, Source(PREFIX, self.folder), ignore, Setup(self.kit))

    def left(self) -> list[str]:
        return [s.identifier for s in survivors.find(self.clients, prefix=PREFIX, tag_value=CODE)]

    def start(self, word: str) -> "subprocess.Popen[str]":
        arguments = [str(self.folder), str(self.kit), str(self.cloud), word]
        return subprocess.Popen(
            [sys.executable, "-c", CODE_OF_THE_KILLED, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with leashed(tmp_path_factory.mktemp("cloud")) as local:
        yield local


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kit")


@pytest.fixture
def place(tmp_path: Path, kit: Path, cloud: LocalCloud) -> Iterator[Place]:
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    clients = Clients(cloud.ensure().target("eu-west-1"))
    made = Place(tmp_path, kit, clients, cloud.folder)
    yield made
    cleanup.delete(clients, prefix=PREFIX, tag_value=CODE)
    assert made.left() == []


def lines_until(process: "subprocess.Popen[str]", events: int) -> int:
    """Read so many resource events; returns how many came before the end."""
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += "status" in json.loads(line)
        if seen == events:
            break
    return seen


def kill_with_terraform(place: Place, word: str, events: int, until: Callable[..., None]) -> None:
    """Kill −9 the kit, Terraform and its provider together, after so many resource events."""
    with place.start(word) as process:
        lines_until(process, events)
        family = children(process.pid)
        for pid in family:
            os.kill(pid, signal.SIGKILL)
        process.kill()
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), what="their end")


def children(pid: int) -> list[int]:
    """Process ids of everything below `pid`."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children(child)]
    return found


@pytest.mark.verify
@pytest.mark.parametrize("events", EVENTS)
def test_after_the_kit_was_killed_an_apply_goes_on(place: Place, events: int) -> None:
    """Terraform itself is not hurt: it finishes, holding its lock, and the next apply waits for it."""
    with place.start("apply") as process:
        lines_until(process, events)
        process.kill()
    deployment = place.engine.apply()
    assert deployment.status == "complete"
    assert deployment.outputs == {"Bucket": f"{PREFIX}-{PREFIX}-one"}
    assert place.engine.plan().changes == ()


@pytest.mark.verify
@pytest.mark.parametrize("events", EVENTS)
def test_after_the_kit_was_killed_a_destroy_goes_on(place: Place, events: int) -> None:
    place.engine.apply()
    with place.start("destroy") as process:
        lines_until(process, events)
        process.kill()
    place.engine.destroy()
    assert place.left() == []


@pytest.mark.parametrize("events", [pytest.param(n, marks=pytest.mark.verify) for n in EVENTS])
def test_after_terraform_was_killed_nothing_is_left_behind(
    place: Place, events: int, until: Callable[..., None]
) -> None:
    """What was created but never written to the state is found by name and tag."""
    kill_with_terraform(place, "apply", events, until)
    place.engine.destroy()
    cleanup.delete(place.clients, prefix=PREFIX, tag_value=CODE)
    assert place.left() == []


@pytest.mark.verify
@pytest.mark.parametrize("events", EVENTS)
def test_after_terraform_was_killed_in_its_destroy_the_next_ends_clean(
    place: Place, events: int, until: Callable[..., None]
) -> None:
    place.engine.apply()
    kill_with_terraform(place, "destroy", events, until)
    place.engine.destroy()
    assert place.left() == []


@pytest.mark.verify
def test_a_state_that_a_kill_has_cut_off_is_taken_back(place: Place) -> None:
    """Terraform empties its state file before it writes it."""
    place.engine.apply()
    state = place.folder / "terraform.tfstate"
    state.with_name("terraform.tfstate.backup").write_bytes(state.read_bytes())
    state.write_bytes(b"")
    seen: list[Event] = []
    replace(place.engine, emit=seen.append).destroy()
    assert "the one before it is taken" in " ".join(event.text for event in seen if event.kind == "warning")
    assert place.left() == []


@pytest.mark.verify
def test_what_exists_already_is_told_with_the_way_out(place: Place) -> None:
    """A state that was lost: the names are taken, by things that Terraform does not know."""
    place.clients.client("logs").create_log_group(logGroupName=f"{PREFIX}-one")
    with pytest.raises(DeployError, match="Terraform does not know it") as caught:
        place.engine.apply()
    assert "./lab destroy" in caught.value.hint
    assert place.engine.current().status == "failed"
    cleanup.delete(place.clients, prefix=PREFIX, tag_value=CODE)
    assert place.engine.apply().status == "complete"


@pytest.mark.verify
def test_opentofu_is_used_where_it_is_what_there_is(place: Place, tmp_path: Path) -> None:
    """Not OpenTofu itself, which no registry that tests may use has: the real Terraform, called tofu."""
    real = shutil.which("terraform")
    assert real is not None
    (tmp_path / "tofu").symlink_to(real)
    there = {"tofu": str(tmp_path / "tofu")}
    setup = Setup(tmp_path / "kit", which=there.get)
    engine = Terraform(place.clients, Source(PREFIX, place.folder), ignore, setup)
    assert engine.plan().count("create") == 6
    assert engine.apply().status == "complete"
    engine.destroy()
    assert place.left() == []


@contextlib.contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    code = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        yield
        process.communicate("\n")


@pytest.mark.verify
def test_a_state_that_another_terraform_holds_is_told(place: Place) -> None:
    """Terraform locks its state file as POSIX locks files; first it is waited for, then told."""
    place.engine.apply()
    seen: list[Event] = []
    setup = replace(Setup(place.kit), lock_seconds=1)
    engine = Terraform(place.clients, Source(PREFIX, place.folder), seen.append, setup)
    with locked_by_another_process(place.folder / "terraform.tfstate"):
        with pytest.raises(DeployError, match="still at work on these files") as caught:
            engine.apply()
    assert "Wait until it has ended" in caught.value.hint
    assert any("waiting for its end" in event.text for event in seen)
    assert not engine.apply().changed


@pytest.mark.verify
def test_a_mistake_is_told_with_its_line(place: Place) -> None:
    broken = CONFIGURATION.replace("aws_s3_bucket.one.id }", "aws_s3_bucket.two.id }", 1)
    (place.folder / "main.tf").write_text(broken)
    line = next(n for n, text in enumerate(broken.splitlines(), 1) if "aws_s3_bucket.two" in text)
    assert [finding.line for finding in place.engine.validate()] == [line]


@pytest.mark.verify
def test_a_cloud_that_is_gone_is_told(place: Place) -> None:
    gone = Clients(Target("local", "eu-west-1", "http://127.0.0.1:1"))
    engine = Terraform(gone, Source(PREFIX, place.folder), ignore, Setup(place.kit))
    with pytest.raises(DeployError, match="does not answer"):
        engine.plan()
