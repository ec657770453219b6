"""The same lab where namespaces are refused: the portable tiers, forced and found by trying.

The longer proofs are marked verify; a sample of them runs every time.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.aws.records import (
    Credentials,
    GroupRecord,
    InstanceRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.base.errors import SandboxUnavailable
from labkit.cloud.endpoints.access import access_for
from labkit.cloud.instances import image
from labkit.cloud.instances.manager import InstanceManager, Surroundings
from labkit.cloud.instances.spec import ENTRY_MODULE
from labkit.cloud.server.fabrics import fabric_for
from labkit.cloud.web.serving import Server
from labkit.sandbox import tiers
from labkit.sandbox.diagnosis import CONTAINER_FLAGS
from labkit.sandbox.portable import readable
from labkit.sandbox.portable.host import PortableHost

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="imitates Linux's refusals"),
]
ROOT = Path(__file__).resolve().parents[2]
REFUSING = ROOT / "tests" / "battery" / "refusing.py"
PORT, ORDINARY_UID = 5417, 61514

ANYWHERE = Permission("-1", -1, -1, cidr="0.0.0.0/0")
VPC = VpcRecord("vpc-1", "10.0.0.0/16", "igw-1")
SUBNET = SubnetRecord("subnet-1", "vpc-1", "10.0.1.0/24", "a", (RouteRecord("0.0.0.0/0", "igw-1"),))
FUNCTIONS = GroupRecord("sg-function", "function", "vpc-1", (), (ANYWHERE,))
SERVERS = GroupRecord(
    "sg-server", "server", "vpc-1", (Permission("tcp", PORT, PORT, group_id="sg-function"),), (ANYWHERE,)
)

SERVE = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[2]} to {self.client_address[0]}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer((sys.argv[1], 5417), Answer).serve_forever()
"""
ASK = """
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        print("got", urllib.request.urlopen(url, timeout=0.5).read().decode())
    except OSError as error:
        print("met", type(getattr(error, "reason", error)).__name__, getattr(error, "code", ""))
"""


# -- choosing, on a machine that refuses -------------------------------------------------------------------


def refused(how: str, command: list[str], *, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run a command where namespaces are refused, in a lab of its own."""
    with tempfile.TemporaryDirectory(prefix="tiers-") as base:
        os.chmod(base, 0o711)
        environment = {"PATH": os.environ["PATH"], "HOME": base, "LAB_BASE": base, "LANG": "C.UTF-8",
                       "TMPDIR": base, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(REFUSING), how, *command], env=environment, cwd=base, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
        subprocess.run([sys.executable, "-m", "labkit", "cloud", "stop"], env=environment, cwd=base, check=True,
                       capture_output=True)  # fmt: skip
        assert not (left := going_on(base)), left
        return done


def going_on(base: str) -> list[str]:
    """Command lines of processes that work below `base`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd").startswith(base):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def warnings(output: str) -> list[dict[str, Any]]:
    events = [json.loads(line).get("event", {}) for line in output.splitlines()]
    return [event for event in events if event.get("kind") == "warning"]


def test_the_lab_goes_through_where_a_container_refuses_namespaces() -> None:
    """Docker's default seccomp profile refuses unshare, setns and mount, and lets Landlock through."""
    done = refused("seccomp", [sys.executable, "-m", "labkit", "demo", "--json"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    (banner,) = (w for w in warnings(done.stdout) if w["text"].startswith("Sandbox: "))
    assert "Operation not permitted" in banner["text"]
    assert banner["text"].startswith(("Sandbox: landlock.", "Sandbox: posix."))
    assert banner["details"][0]


#: how a machine refuses (tests/battery/refusing.py) → the tier, and what the cure speaks of
REFUSALS = {
    "container": ("landlock", "--security-opt seccomp=unconfined"),
    "no-landlock": ("posix", "--security-opt seccomp=unconfined"),
    "masked": ("landlock", "systempaths=unconfined"),
    "limit": ("landlock", "user.max_user_namespaces=15000"),
    "no-proc": ("posix", ""),
}


@pytest.mark.verify
@pytest.mark.parametrize("how", REFUSALS)
def test_the_lab_goes_through_however_the_machine_refuses(how: str) -> None:
    if how not in ("limit", "no-landlock") and os.geteuid() != 0:
        pytest.skip("only root can imitate it")
    done = refused(how, [sys.executable, "-m", "labkit", "demo", "--json"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    (banner,) = (w for w in warnings(done.stdout) if w["text"].startswith("Sandbox: "))
    tier, cure = REFUSALS[how]
    assert banner["text"].startswith(f"Sandbox: {tier}.") or how == "no-proc"
    assert cure in banner["details"][0]


#: generate and grade the reference solution, and show the result
GRADE = """lab() { "$0" -m labkit "$@" --student ada@uni.edu --solution; }
lab generate > log && lab grade --result r.json >> log 2>&1
cat r.json"""
#: what is judged by files that only somebody who did the lab has
EVIDENCE = {"log-reading", "fault-1", "fault-2", "benchmark"}


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can imitate it")
@pytest.mark.parametrize(
    ("how", "hidden"), [("container", set()), ("no-proc", {"unit-env", "crash-restart"})]
)
def test_the_reference_loses_nothing_where_the_machine_refuses(how: str, hidden: set[str]) -> None:
    """What a hidden /proc does not show is not judged; nobody loses it."""
    done = refused(how, ["/bin/sh", "-c", GRADE, sys.executable], seconds=500)
    lines = json.loads(done.stdout)["lines"]
    outcomes = {line["id"]: line["verdict"]["outcome"] for line in lines}
    assert {name for name, outcome in outcomes.items() if outcome == "failed"} == EVIDENCE
    assert {name for name, outcome in outcomes.items() if outcome == "not judged"} == hidden


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give capabilities away")
def test_the_documented_container_gives_the_best_tier() -> None:
    """Docker's default capabilities with SYS_ADMIN and NET_ADMIN, no filter, /proc uncovered."""
    done = refused("granted", [sys.executable, "-m", "labkit", "cloud", "start", "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["result"]["tier"] == "namespaces"


def test_the_dev_container_and_the_docker_line_grant_the_same_and_say_what() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    container = json.loads(
        "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
    )
    document = (ROOT / "docs" / "tiers.md").read_text()
    command = document.partition("```sh\ndocker run ")[2].partition("```")[0].replace("\\\n", " ")
    flags = re.findall(r"--(cap-add|security-opt)[ =](\S+)", command)
    assert sorted(f"--{name}={value}" for name, value in flags) == sorted(container["runArgs"])
    assert sorted(flags) == sorted(re.findall(r"--(cap-add|security-opt) (\S+)", CONTAINER_FLAGS))
    explained = document.partition("```sh\ndocker run ")[2].partition("```")[2]
    assert [value for _, value in flags if f"`{value}`" not in explained] == []
    assert container["postCreateCommand"] == "make setup"


@pytest.mark.verify
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as an ordinary user already")
@pytest.mark.parametrize("tier", ["namespaces", "landlock", "posix"])
def test_the_lab_goes_through_for_an_ordinary_user(tier: str) -> None:
    """Root's Python may lie where others can't read it: a readable copy stands for a student's own."""
    with tempfile.TemporaryDirectory(prefix="ordinary-") as base:
        program, place = readable.copy(), Path(base)
        kept = shutil.ignore_patterns(".*", "__pycache__", "work", "tests", "docs", "bench")
        shutil.copytree(ROOT, place / "kit", ignore=kept)
        own = place / "own"
        own.mkdir()
        os.chown(own, ORDINARY_UID, ORDINARY_UID)
        subprocess.run(["chmod", "-R", "a+rX", base], check=True)
        done = subprocess.run(
            [program, "-m", "labkit", "demo", "--json"], cwd=place / "kit", user=ORDINARY_UID, group=ORDINARY_UID,
            extra_groups=[], text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=150, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(own), "LAB_BASE": str(own), "LAB_TIER": tier,
                 "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


#: what the lab and its lessons need of a machine: run whole in the tiers without namespaces
SUITE = (
    "tests/aws/test_endpoints.py", "tests/aws/test_lambda_behaviour.py", "tests/aws/test_iam_denials.py",
    "tests/aws/test_network_behaviour.py", "tests/functional/test_instances.py", "tests/functional/test_lesson.py",
    "tests/functional/test_bad_input.py", "tests/functional/test_grading.py", "tests/functional/test_killed.py",
)  # fmt: skip


@pytest.mark.verify
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("tier", ["landlock", "posix"])
@pytest.mark.parametrize("module", SUITE)
def test_the_functional_suite_holds_without_namespaces(module: str, tier: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", module], cwd=ROOT, text=True,
        env={**os.environ, "LAB_TIER": tier}, capture_output=True, timeout=1700, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.verify
@pytest.mark.parametrize("tier", ["namespaces", "landlock", "posix"])
def test_the_demo_goes_through_in_every_tier(lab: Any, tier: str) -> None:
    done = lab.with_variables(LAB_TIER=tier).run("demo", "--json", timeout=120)
    assert done.status == 0, done
    told = any(w["text"].startswith(f"Sandbox: {tier}.") for w in warnings(done.output))
    assert told == (tier != "namespaces")


def test_a_tier_that_is_not_enough_is_refused_and_the_one_in_use_is_told(lab: Any) -> None:
    forced = lab.with_variables(LAB_TIER="posix")
    assert forced.run("cloud", "start", "--json").result["tier"] == "posix"
    refused_run = lab.run("cloud", "start", "--require-tier", "landlock", "--json")
    assert refused_run.status == 1
    assert "posix" in refused_run.error["message"]
    assert lab.run("cloud", "status", "--json").result["tier"] == "posix"
    state = json.loads((lab.base / ".lab" / "cloud" / "state.json").read_text())
    assert state["tier"] == "posix"
    assert "accidents" in state["tier_text"]
    # wherever root's Python lies: where others can't read it, the cloud is run by a copy
    assert ("user of its own" in state["tier_text"]) == (os.geteuid() == 0)


@pytest.mark.verify
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives sandboxes users of their own")
def test_the_readable_copy_of_python_is_whole_and_made_once() -> None:
    check = "import boto3, flask, ssl, sqlite3, labkit.cloud.instances.system.init as i, sys; print(i.__file__, sys.prefix)"
    with tempfile.TemporaryDirectory(prefix="tiers-") as folder:  # pytest's are its user's alone
        os.chmod(folder, 0o755)
        program = readable.copy((folder,))
        made = Path(program).stat().st_ino
        done = subprocess.run(
            [program, "-I", "-c", check], user=readable.NOBODY, group=readable.NOBODY, extra_groups=[], cwd="/",
            text=True, capture_output=True, check=True,
        )  # fmt: skip
        assert all(path.startswith(folder) for path in done.stdout.split())
        assert readable.copy((folder,)) == program
        assert Path(program).stat().st_ino == made


# -- the network by proxy ------------------------------------------------------------------------------------


class Issuer:
    """Gives the same made-up credentials to every role."""

    def issue(self, role_arn: str, session_name: str, *, seconds: int, service: str = "") -> Credentials:
        return Credentials("ASIATEST", "secret", f"token of {session_name}", time.time() + seconds)


def aws(_: object, *, secure_transport: bool = True) -> Callable[[Any, Callable[..., object]], list[bytes]]:
    def answer(environ: Any, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the AWS API"]

    return answer


class Place:
    """Instances in a portable tier; each runs a script at boot, as on AWS."""

    def __init__(self, host: PortableHost, folder: Path) -> None:
        folder.chmod(0o755)
        self.fabric, self.server = fabric_for(host), Server()
        self.access = access_for(aws, self.server, self.fabric, folder / "trust")
        (folder / "image").mkdir()
        built = image.build(folder / "image", hides=False)
        self.manager = InstanceManager(
            Surroundings(host, self.fabric, Issuer(), self.server, self.access, built)
        )
        self.shut(())

    def shut(self, ingress: tuple[Permission, ...]) -> None:
        """Let in to the servers what `ingress` says."""
        groups = (FUNCTIONS, replace(SERVERS, ingress=ingress))
        self.fabric.update(NetworkState((VPC,), (SUBNET,), groups))

    def launch(self, number: int, script: str, group: str = "sg-server") -> str:
        made = InstanceRecord(
            f"i-{number:017x}", "ap-south-1", "123456789012", "pending", "ami-1", "t3.micro", "ap-south-1a",
            "vpc-1", "subnet-1", f"10.0.1.{10 + number}", "", f"02:00:00:00:00:{number:02x}", (group,),
            b"#!/bin/bash\n" + script.encode(), "", "arn:aws:iam::123456789012:role/server", "required",
        )  # fmt: skip
        self.manager.start(made)
        return made.instance_id

    def serve(self, number: int, listen: str = "0.0.0.0") -> str:
        """A server on PORT that tells its number and its caller, running when this returns."""
        unit = (
            f"[Unit]\nDescription=S\n[Service]\nExecStart=/usr/bin/python3 /opt/serve.py {listen} {number}\n"
        )
        wait = f"for _ in {{1..100}}; do curl -sf 127.0.0.1:{PORT} && break; sleep 0.05; done\n"
        start = f"cat > /etc/systemd/system/s.service <<'UNIT'\n{unit}UNIT\nsystemctl start s\n{wait}"
        instance = self.launch(number, f"cat > /opt/serve.py <<'PY'{SERVE}PY\n{start}")
        boot = self.manager.wait_booted(instance, 20)
        assert boot.exit_code == 0, boot.tail
        return instance

    def run(self, script: str, number: int = 90, group: str = "sg-function") -> list[str]:
        """The lines that a script prints on a new instance, which ends then."""
        instance = self.launch(number, script, group)
        boot = self.manager.wait_booted(instance, 30)
        self.manager.terminate(instance)
        return [line for line in boot.tail if "loud-init" not in line and "[WARNING]" not in line]

    def ask(self, *urls: str) -> list[str]:
        return self.run(f"cat > /opt/ask.py <<'PY'{ASK}PY\npython3 /opt/ask.py {' '.join(urls)}")

    def close(self) -> None:
        self.manager.close()
        self.access.shut()
        self.server.close()
        self.fabric.close()


@pytest.fixture(scope="module", params=[tiers.POSIX, tiers.LANDLOCK])
def host(request: pytest.FixtureRequest) -> Iterator[PortableHost]:
    try:
        opened = tiers.open_tier(request.param, [ENTRY_MODULE])
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    assert isinstance(opened, PortableHost)
    with opened:
        yield opened


@pytest.fixture
def place(host: PortableHost, tmp_path: Path) -> Iterator[Place]:
    made = Place(host, tmp_path)
    yield made
    made.close()


ADMIT = (Permission("tcp", PORT, PORT + 1, group_id="sg-function"),)


def test_two_servers_on_one_port_are_told_apart_though_the_port_is_taken_here(place: Place) -> None:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", PORT)):
        place.serve(1)
        place.serve(2)
        place.shut(ADMIT)
        asked = place.ask(
            f"http://10.0.1.11:{PORT}", f"http://10.0.1.12:{PORT}", f"http://10.0.1.11:{PORT + 1}"
        )
        assert asked == ["got 1 to 10.0.1.100", "got 2 to 10.0.1.100", "met ConnectionRefusedError "]


def test_a_shut_group_is_a_time_out_and_opening_it_takes_effect_at_once(place: Place) -> None:
    place.serve(1)
    assert place.ask(f"http://10.0.1.11:{PORT}") == ["met TimeoutError "]
    place.shut(ADMIT)
    assert place.ask(f"http://10.0.1.11:{PORT}") == ["got 1 to 10.0.1.100"]


def test_curl_meets_the_same_as_python(place: Place) -> None:
    place.serve(1)
    url = f"10.0.1.11:{PORT}"
    script = f"curl -s --connect-timeout 1 http://{url}; echo rc=$?"
    assert place.run(script)[-1] == "rc=28"
    place.shut(ADMIT)
    assert place.run(script) == ["1 to 10.0.1.100rc=0"]
    assert place.run(f"curl -s -m 2 http://10.0.1.11:{PORT + 1}; echo rc=$?; curl -s x.example; echo rc=$?") == [
        "rc=7", "rc=6",
    ]  # fmt: skip


def test_a_server_on_its_loopback_address_answers_nobody_else(place: Place) -> None:
    place.serve(1, "127.0.0.1")
    place.shut(ADMIT)
    assert place.ask(f"http://10.0.1.11:{PORT}") == ["met ConnectionRefusedError "]


def test_a_port_that_is_in_use_inside_is_in_use(place: Place) -> None:
    bind = "import socket; a = socket.create_server(('', 5417)); socket.create_server(('', 5417))"
    (error,) = place.run(f'python3 -c "{bind}" 2>&1 | tail -1')
    assert error.startswith("OSError: [Errno 98] Address already in use")


def test_metadata_and_aws_answer_as_from_inside(place: Place) -> None:
    base = "http://169.254.169.254/latest"
    token = f"$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {base}/api/token)"
    ask = f'curl -s -H "X-aws-ec2-metadata-token: {token}" {base}/meta-data/instance-id; echo\n'
    assert place.run(ask + f"curl -s -o /dev/null -w '%{{http_code}}\\n' {base}/meta-data/") == [
        f"i-{90:017x}", "401",
    ]  # fmt: skip


def test_nothing_but_the_instances_own_files_is_written_and_its_end_leaves_nothing(
    place: Place, host: PortableHost, until: Callable[..., None]
) -> None:
    instance = place.launch(
        1, "rm -f /tmp/mine; echo x > /tmp/mine; (setsid sleep 1000 &) ; echo $$ > /opt/pid; ls /opt /tmp"
    )
    assert place.manager.wait_booted(instance, 20).tail.count("mine") == 1
    assert not Path("/tmp/mine").exists()
    until(lambda: processes("sleep\x001000") == 1, what="the process left behind")
    place.manager.terminate(instance)
    assert processes("sleep\x001000") == 0


def processes(text: str) -> int:
    """How many command lines hold `text`."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += text in path.read_bytes().decode(errors="replace")
    return found
