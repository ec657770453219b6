"""The local cloud from outside: one server for each folder, started once, ended whole, cleared when killed."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.base.errors import CloudError
from labkit.base.events import Event
from labkit.cloud.client.control_client import Endpoint
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.cloud.server.server import IDLE_SECONDS, LAST_USED
from labkit.deploy.targets import Clients


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    """A cloud of a folder with blanks and umlauts in its name; stopped afterwards."""
    made = LocalCloud(tmp_path / "ein Ordner für alles" / "cloud")
    yield made
    made.stop()


def left(cloud: LocalCloud) -> set[str]:
    """What lies in its folder beside the locks, the log, and who its owner is."""
    return {path.name for path in cloud.folder.iterdir()} - {"lock", "starting", "server.log", "owner.json"}


def test_where_nothing_runs_there_is_nothing_to_stop(cloud: LocalCloud) -> None:
    assert cloud.running() is None
    assert cloud.stop() is False
    assert not cloud.folder.exists()
    with pytest.raises(CloudError, match="not running"):
        cloud.ask("GET", "status")


@pytest.mark.processes
def test_many_who_start_it_at_once_get_the_same_one_and_stop_ends_it_whole(cloud: LocalCloud) -> None:
    found: list[Endpoint] = []
    starters = [threading.Thread(target=lambda: found.append(cloud.ensure())) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert cloud.running() == found[0]
    for name in ("state.json", "owner.json"):
        assert (cloud.folder / name).stat().st_mode & 0o077 == 0, "its secrets are nobody else's"
    assert cloud.stop() is True
    assert not _runs(found[0].pid)
    assert left(cloud) == set()


@pytest.mark.processes
def test_a_shell_opened_before_goes_on_with_the_next_cloud(cloud: LocalCloud) -> None:
    before = cloud.ensure().target("eu-west-1")
    cloud.stop()
    assert cloud.ensure().target("eu-west-1") == before
    assert Clients(before).client("sts").get_caller_identity()["Arn"].endswith(":root")


@pytest.mark.processes
def test_one_that_is_kept_ends_when_nobody_has_used_it_for_long(
    cloud: LocalCloud, until: Callable[..., None]
) -> None:
    cloud.folder.mkdir(parents=True)
    used = cloud.folder / LAST_USED
    used.touch()
    pid = cloud.ensure().pid
    long_ago = time.time() - IDLE_SECONDS - 1
    os.utime(used, (long_ago, long_ago))
    until(lambda: not _runs(pid), what="its end")
    assert cloud.running() is None


@pytest.mark.processes
def test_one_that_windows_stopped_is_back_and_says_so(cloud: LocalCloud, until: Callable[..., None]) -> None:
    _kill(cloud, until)
    proc = {
        "/proc/version": "Linux 5.15-microsoft-standard-WSL2",
        "/proc/stat": f"btime {time.time() + 60:.0f}\n",
    }
    said: list[Event] = []
    replace(cloud, read=lambda path: proc[path]).ensure(said.append)
    (told,) = [event.text for event in said if "Windows" in event.text]
    assert told.startswith("Windows stopped your local cloud; it is back, ")
    assert "./lab deploy" in told
    assert not [event for event in said if "without being stopped" in event.text]


@pytest.mark.processes
def test_one_that_was_killed_is_told_and_cleared_by_stop(
    cloud: LocalCloud, until: Callable[..., None]
) -> None:
    _kill(cloud, until)
    said: list[Event] = []
    assert cloud.stop(said.append) is False
    assert [event.kind for event in said] == ["warning"]
    assert "ended without being stopped" in said[0].text
    assert left(cloud) == set()
    assert cloud.stop(said.append) is False
    assert len(said) == 1, "it is told once"


@pytest.mark.processes
def test_one_that_was_killed_is_told_and_replaced_by_a_start(
    cloud: LocalCloud, until: Callable[..., None]
) -> None:
    before = _kill(cloud, until)
    said: list[Event] = []
    assert cloud.ensure(said.append).pid != before.pid
    assert [event.kind for event in said] == ["warning", "note"]


@pytest.mark.processes
def test_one_that_lasts_and_that_windows_stopped_is_back_with_what_stood_in_it(
    cloud: LocalCloud, until: Callable[..., None]
) -> None:
    cloud = replace(cloud, lasting=True)
    Clients(cloud.ensure().target("eu-west-1")).client("iam").create_user(UserName="ada")
    until(lambda: cloud.kept_since > 0, what="its first save")
    cloud.stop()
    (cloud.folder / "state.json").write_text(json.dumps({"started_at": time.time()}))
    proc = {"/proc/version": "microsoft-standard-WSL2", "/proc/stat": f"btime {time.time() + 60:.0f}\n"}
    said: list[Event] = []
    target = replace(cloud, read=lambda path: proc[path]).ensure(said.append).target("eu-west-1")
    (told,) = [event.text for event in said if event.kind == "warning"]
    assert told.startswith("Windows stopped your local cloud; it is back, ")
    assert told.endswith(" ago.")
    assert "deploy" not in told
    assert Clients(target).client("iam").get_user(UserName="ada")


@pytest.mark.processes
def test_a_broken_state_file_hides_no_running_cloud(cloud: LocalCloud) -> None:
    pid = cloud.ensure().pid
    for text in ("{", "[]", "{}", '{"port": "http", "pid": 1}'):
        (cloud.folder / "state.json").write_text(text)
        with pytest.raises(CloudError) as caught:
            cloud.ensure()
        assert "./lab cloud stop" in caught.value.hint
    assert cloud.stop() is True
    assert not _runs(pid)


@pytest.mark.processes
def test_a_leash_ends_it_with_its_holder(tmp_path: Path, until: Callable[..., None]) -> None:
    reader, writer = os.pipe()
    cloud = LocalCloud(tmp_path / "cloud", leash=reader)
    pid = cloud.ensure().pid
    os.close(writer)
    os.close(reader)
    until(lambda: not _runs(pid), what="the end of the cloud")
    assert left(cloud) == set()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CloudError, match="file/cloud can't be written") as caught:
        LocalCloud(tmp_path / "file" / "cloud").ensure()
    assert caught.value.hint


def _kill(cloud: LocalCloud, until: Callable[..., None]) -> Endpoint:
    endpoint = cloud.ensure()
    assert json.loads((cloud.folder / "lock").read_text()) == endpoint.pid
    os.kill(endpoint.pid, signal.SIGKILL)
    until(lambda: cloud.running() is None, what="its end")
    return endpoint


def _runs(pid: int) -> bool:
    """Whether the process lives; one that nobody has waited for yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
