"""Instances booted for real: sandbox, network, metadata, process 1, units.

Each boots in some tens of milliseconds, so every test starts its own.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from labkit.aws import addresses
from labkit.aws.records import (
    Credentials,
    GroupRecord,
    InstanceRecord,
    InterfaceRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.base.errors import LabError
from labkit.cloud.endpoints.access import access_for
from labkit.cloud.instances import image
from labkit.cloud.instances.guest import Boot
from labkit.cloud.instances.manager import InstanceManager, Surroundings
from labkit.cloud.instances.spec import ENTRY_MODULE
from labkit.cloud.network.fabric import Fabric
from labkit.cloud.portable.fabric import PortableFabric
from labkit.cloud.server.fabrics import fabric_for
from labkit.cloud.web.serving import Server
from labkit.sandbox.tiers import AnyHost, open_best, wanted_here

OPEN = Permission("-1", -1, -1, cidr="0.0.0.0/0")
NETWORK = NetworkState(
    vpcs=(VpcRecord("vpc-1", "10.0.0.0/16", "igw-1"),),
    subnets=(
        SubnetRecord(
            "subnet-1",
            "vpc-1",
            "10.0.1.0/24",
            "ap-south-1a",
            (RouteRecord("10.0.0.0/16", "local"), RouteRecord("0.0.0.0/0", "igw-1")),
        ),
        SubnetRecord(
            "subnet-2", "vpc-1", "10.0.2.0/24", "ap-south-1a", (RouteRecord("10.0.0.0/16", "local"),)
        ),
    ),
    groups=(GroupRecord("sg-1", "open", "vpc-1", (OPEN,), (OPEN,)),),
)
ROLE = "arn:aws:iam::123456789012:role/server"


@dataclass(frozen=True)
class Issuer:
    """Gives the same made-up credentials to every role."""

    def issue(self, role_arn: str, session_name: str, *, seconds: int, service: str = "") -> Credentials:
        return Credentials("ASIATEST", "secret", f"token of {session_name}", time.time() + seconds)


def record(number: int, user_data: str) -> InstanceRecord:
    return InstanceRecord(
        instance_id=f"i-{number:017x}",
        region="ap-south-1",
        account_id="123456789012",
        state="pending",
        image_id="ami-0123456789abcdef0",
        instance_type="t3.micro",
        availability_zone="ap-south-1a",
        vpc_id="vpc-1",
        subnet_id="subnet-1",
        private_ip=f"10.0.1.{10 + number}",
        public_ip=f"203.0.114.{number}",
        mac=f"02:00:00:00:00:{number:02x}",
        security_group_ids=("sg-1",),
        user_data=user_data.encode(),
        profile_arn="arn:aws:iam::123456789012:instance-profile/server",
        role_arn=ROLE,
        imds_tokens="required",
    )


class Lab:
    """A manager on a real network, and the instances of one test."""

    def __init__(self, manager: InstanceManager, fabric: Fabric) -> None:
        self.manager, self.fabric = manager, fabric
        self._next = 0

    def launch(self, script: str, **more: Any) -> str:
        """Start an instance with a bash script as user data; returns its id. `more` replaces parts of its record."""
        self._next += 1
        made = replace(record(self._next, "#!/bin/bash\n" + script), **more)
        self.manager.start(made)
        return made.instance_id

    def run(self, script: str, **more: Any) -> tuple[Boot, str]:
        """Run a script to its end on a new instance; returns the boot and the console."""
        instance = self.launch(script, **more)
        boot = self.manager.wait_booted(instance, 30)
        return boot, self.manager.console_output(instance).decode()

    def get(self, caller: str, address: str, port: int) -> str:
        """What an HTTP server at `address` answers to an instance."""
        with self.fabric.connect(caller, address, port, timeout=2) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.fixture(scope="module")
def host() -> Iterator[AnyHost]:
    with open_best([ENTRY_MODULE], wanted=wanted_here()[0]).host as opened:
        yield opened


@pytest.fixture(scope="module")
def fabric(host: AnyHost) -> Iterator[Fabric]:
    made = fabric_for(host)
    made.update(NETWORK)
    index = InterfaceRecord(addresses.INTERNET, "", "", addresses.IMAGE_HOST_ADDRESS, "", ())
    sockets = made.attach(index, listen=[(addresses.IMAGE_HOST_ADDRESS, addresses.PACKAGE_PORT)])
    yield made
    made.close()
    for each in sockets:
        each.close()


@pytest.fixture(scope="module")
def built_image(fabric: Fabric) -> Iterator[image.Image]:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield image.build(Path(folder), hides=not isinstance(fabric, PortableFabric))


def cloud(
    _: object, *, secure_transport: bool = True
) -> Callable[[dict[str, Any], Callable[..., object]], list[bytes]]:
    def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the AWS API"]

    return answer


@pytest.fixture
def lab(host: AnyHost, fabric: Fabric, built_image: image.Image, tmp_path: Path) -> Iterator[Lab]:
    server = Server()
    access = access_for(cloud, server, fabric, tmp_path / "trust")
    manager = InstanceManager(Surroundings(host, fabric, Issuer(), server, access, built_image))
    yield Lab(manager, fabric)
    manager.close()
    access.shut()
    server.close()


def unit(command: str, more: str = "", *, name: str = "app", install: bool = True) -> str:
    """The lines of a boot script that write a unit."""
    wanted = "[Install]\nWantedBy=multi-user.target\n" if install else ""
    text = f"[Unit]\nDescription=Test\n[Service]\nExecStart={command}\n{more}\n{wanted}"
    return f"cat > /etc/systemd/system/{name}.service <<'UNIT'\n{text}\nUNIT\n"


# -- user data -------------------------------------------------------------------------------------------


def test_user_data_runs_as_root_in_the_environment_of_cloud_init(lab: Lab) -> None:
    """EC2, "Run commands on your Linux instance at launch" (UserGuide/user-data.html): scripts run as root
    and are not interactive; cloud-init sets no HOME."""
    boot, console = lab.run("id -u; pwd; echo path=$PATH home=${HOME:-unset}; cat /etc/os-release")
    assert (boot.state, boot.exit_code) == ("ok", 0)
    assert "\n0\n/\npath=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin home=unset\n" in console
    assert 'PRETTY_NAME="Amazon Linux 2023"' in console
    assert "Cloud-init v. 22.2.2 finished at" in console


def test_user_data_runs_at_the_first_boot_only_and_the_disk_stays(lab: Lab) -> None:
    """EC2, UserGuide/user-data.html: by default user data runs only during the first boot; "Stop and start
    your instance" (UserGuide/Stop_Start.html): the volume's data persists."""
    script = "for d in /etc /opt /var /usr/local /home /root /srv; do echo $RANDOM >> $d/mark; done\n"
    check = 'ExecStart=/bin/sh -c "cat /etc/mark /opt/mark /var/mark /home/mark /root/mark /srv/mark /usr/local/mark | wc -l >> /dev/console"'
    instance = lab.launch(script + unit("/bin/true", f"Type=oneshot\n{check}") + "systemctl enable app")
    lab.manager.wait_booted(instance, 20)
    lab.manager.stop(instance)
    assert lab.manager.boot(instance).state == "stopped"
    lab.manager.start(record(1, "#!/bin/bash\nexit 1"))
    boot = lab.manager.wait_booted(instance, 20)
    assert (boot.state, boot.exit_code) == ("ok", None)
    assert lab.manager.wait_unit(instance, "app.service", "inactive", 10)
    lab.manager.stop(instance)
    assert "\n7\n" in lab.manager.console_output(instance).decode().replace("\r", "")


def test_failing_user_data_reports_its_exit_status_and_last_lines(lab: Lab) -> None:
    """EC2, UserGuide/user-data.html, "cloud-init output log file": errors stand in
    /var/log/cloud-init-output.log."""
    boot, console = lab.run("set -e\necho working\nno-such-program\necho never")
    assert (boot.state, boot.exit_code) == ("failed", 127)
    assert any("no-such-program: command not found" in line for line in boot.tail)
    assert "Failed running /var/lib/cloud/instance/scripts/part-001 [127]" in console
    assert "never" not in console


def test_windows_line_ends_are_converted_as_cloud_init_does(lab: Lab) -> None:
    """cloud-init, user data scripts: ShellScriptPartHandler converts CR LF (its dos2unix)."""
    lab.manager.start(replace(record(50, ""), user_data=b"#!/bin/bash\r\necho it-works\r\n"))
    boot = lab.manager.wait_booted(record(50, "").instance_id, 20)
    assert (boot.state, boot.exit_code) == ("ok", 0)


def test_what_is_no_script_is_warned_about_and_does_not_run(lab: Lab) -> None:
    """cloud-init, "User data formats": a script starts with #!."""
    made = replace(record(60, ""), user_data=b"echo hello\n")
    lab.manager.start(made)
    boot = lab.manager.wait_booted(made.instance_id, 20)
    assert boot.exit_code is None
    console = lab.manager.console_output(made.instance_id).decode()
    assert "Unhandled non-multipart (text/x-not-multipart) userdata: 'b'echo hello'...'" in console


def test_an_interpreter_that_is_not_there_fails_the_boot(lab: Lab) -> None:
    made = replace(record(61, ""), user_data=b"#!/bin/nosuchshell\n")
    lab.manager.start(made)
    assert lab.manager.wait_booted(made.instance_id, 20).state == "failed"


def test_what_goes_to_the_console_device_is_in_the_console_output(lab: Lab) -> None:
    """EC2, API GetConsoleOutput (APIReference/API_GetConsoleOutput.html)."""
    _, console = lab.run(
        "echo by-hand > /dev/console; exec 3>&1 > >(tee /var/log/u.log | logger -s 2>/dev/console) 2>&1; logging=$!\n"
        "echo through-logger; exec >&3 2>&3; wait $logging"
    )
    assert "\nby-hand\n" in console
    assert "root: through-logger" in console


# -- programs --------------------------------------------------------------------------------------------


def test_python_311_and_pip_are_there_only_after_dnf_install(lab: Lab) -> None:
    """AL2023 user guide, "Python in AL2023" (linux/al2023/ug/python.html): further versions are packages."""
    _, console = lab.run(
        "python3.11 -V; echo a=$?; pip3.11; echo b=$?; dnf install -y python3.11; python3.11 -m pip; echo c=$?\n"
        "pip3; echo d=$?; dnf install -y python3.11-pip; python3.11 -m pip --version && pip3.11 --version; echo e=$?\n"
        "yum install -y python3-pip; pip3 --version; echo f=$?; dnf install -y pythn; echo g=$?; apt-get; echo h=$?"
    )
    assert [
        f"{k}={v}" in console for k, v in zip("abcdefgh", (127, 127, 1, 127, 0, 0, 1, 127), strict=True)
    ] == [True] * 8
    assert "Unable to find a match: pythn" in console


def test_a_distribution_is_importable_only_once_pip_has_installed_it(lab: Lab) -> None:
    _, console = lab.run(
        "dnf install -qy python3.11 python3.11-pip >/dev/null\n"
        'for m in flask boto3 moto labkit pytest; do python3.11 -c "import $m" 2>/dev/null && echo early-$m; done\n'
        "echo 'Flask>=2' > r.txt; pip3.11 install -r r.txt >/dev/null; python3.11 -c 'import flask' && echo flask-ok\n"
        "python3.11 -c 'import boto3' 2>&1 | tail -1; pip3.11 install flask==0.1; echo pin=$?\n"
        "pip3.11 install no-such-thing; echo none=$?; flask --version >/dev/null && echo command-ok\n"
    )
    assert "early-" not in console
    assert "flask-ok" in console, console
    assert "ModuleNotFoundError: No module named 'boto3'" in console
    assert (
        "ERROR: Could not find a version that satisfies the requirement flask==0.1 (from versions: 3."
        in console
    )
    assert "pin=1" in console
    assert "ERROR: No matching distribution found for no-such-thing" in console
    assert "none=1" in console
    assert "command-ok" in console


def test_without_a_way_to_the_internet_nothing_is_installed(lab: Lab) -> None:
    """AL2023 user guide, "Getting started with AL2023 in a VPC": the repositories lie in S3, pip's index on the internet."""
    boot, console = lab.run(
        "set -e; dnf install -y python3; echo present-ok; dnf install -y python3.11; echo never",
        subnet_id="subnet-2", private_ip="10.0.2.7",
    )  # fmt: skip
    assert boot.exit_code == 1
    assert "present-ok" in console, console
    assert "never" not in console
    assert "Errors during downloading metadata for repository 'amazonlinux':" in console
    assert "Curl error (28): Timeout was reached for https://al2023-repos-ap-south-1-" in console


_ACCOUNTS = """
useradd --system --no-create-home --shell /sbin/nologin flask; grep ^flask: /etc/passwd; ls /home
useradd -r -s/sbin/nologin --home-dir=/opt/app app; grep ^app: /etc/passwd
groupadd --gid 4000 team; useradd -mG team,adm --comment 'A B' ann; grep -e ^team: -e ^adm: /etc/group; ls /home
usermod --append --groups wheel ann; grep -c '[:,]ann$' /etc/group; usermod --shel /bin/sh ann; grep ^ann: /etc/passwd
useradd --gid nobody --no-user-group bob; grep ^bob: /etc/passwd; chown -R flask:flask /opt; echo chown=$?
useradd flask; echo again=$?; useradd --frob x; echo unknown=$?; useradd -G none y; echo group=$?; useradd; echo none=$?
groupadd solo; useradd solo; echo exists=$?; useradd -u 4000 --uid 1000 z; echo uid=$?
userdel --remove ann; groupdel team; grep -c -e ^ann: -e ^team: /etc/passwd /etc/group
"""


def test_accounts_are_made_with_long_and_short_options(lab: Lab) -> None:
    """useradd(8), usermod(8), userdel(8), groupadd(8), groupdel(8) of shadow-utils."""
    _, console = lab.run(_ACCOUNTS)
    wanted = (
        "flask:x:999:999::/home/flask:/sbin/nologin", "app:x:998:998::/opt/app:/sbin/nologin",
        "team:x:4000:ann", "adm:x:4:ec2-user,ann", "\n3\n", "ann:x:1001:1001:A B:/home/ann:/bin/sh",
        "bob:x:1002:65534:", "chown=0", "again=9", "unrecognized option '--frob'", "unknown=2", "group=6", "none=2",
        "group solo exists", "exists=9", "uid=4", "/etc/passwd:0", "/etc/group:0",
    )  # fmt: skip
    assert [each for each in wanted if each not in console] == [], console


def test_a_virtual_environment_has_its_own_pip_and_packages(lab: Lab) -> None:
    _, console = lab.run(
        "set -e; dnf install -qy python3.11 >/dev/null; python3.11 -m venv /opt/app/venv\n"
        "/opt/app/venv/bin/pip install waitress; /opt/app/venv/bin/python -c 'import waitress'; echo inside-ok\n"
        "/opt/app/venv/bin/python -c \"print(open('/etc/os-release').readline())\" >> /said; cat /said\n"
        "python3.11 -c 'import waitress' 2>/dev/null || echo outside-no"
    )
    assert "inside-ok" in console, console
    assert 'NAME="Amazon Linux"' in console, console
    assert not Path("/said").exists()
    assert "outside-no" in console


def test_boto3_finds_the_cloud_and_the_role_without_any_variable(lab: Lab) -> None:
    """STS API reference, "AWS STS endpoints and quotas"; credentials from IMDSv2 of the instance
    role (EC2, UserGuide/iam-roles-for-amazon-ec2.html); and no region, as on a server."""
    script = (
        "dnf install -qy python3.11 python3.11-pip >/dev/null; pip3.11 install boto3 >/dev/null\n"
        "cat > /opt/who.py <<'PY'\nimport boto3\ns = boto3.Session()\nc = s.client('sts', region_name='ap-south-1')\n"
        "print(s.get_credentials().get_frozen_credentials().token, c.meta.endpoint_url, s.region_name)\nPY\n"
    )
    once = "Type=oneshot\nUser=ec2-user\nStandardOutput=append:/dev/console"
    _, console = lab.run(script + unit("/usr/bin/python3.11 /opt/who.py", once) + "systemctl start app")
    assert "token of i-00000000000000001 https://sts.ap-south-1.amazonaws.com None" in console


# -- units -----------------------------------------------------------------------------------------------


def test_a_unit_sees_only_the_environment_that_systemd_gives_it(lab: Lab) -> None:
    """systemd.exec(5), "Environment Variables in Spawned Processes"."""
    more = 'Type=oneshot\nEnvironment=GIVEN=1 "TWO=a b"\nEnvironmentFile=-/none\nEnvironmentFile=/etc/app.env'
    script = "export SECRET=1\necho 'FILE=\"from file\"' > /etc/app.env\n" + unit("/usr/bin/env", more)
    _, console = lab.run(
        script + "systemctl start app; echo BEGIN; journalctl -u app -o cat -t env; echo END"
    )
    found = console.partition("BEGIN\n")[2].partition("END")[0].splitlines()
    names = sorted(line.partition("=")[0] for line in found)
    assert names == ["FILE", "GIVEN", "INVOCATION_ID", "LANG", "PATH", "TWO"]
    assert "FILE=from file" in found


def test_home_and_user_are_set_only_with_user(lab: Lab) -> None:
    """systemd.exec(5): $USER, $LOGNAME, $HOME, $SHELL are set for units that have User= set."""
    script = unit("/bin/sh -c 'echo $$HOME $$USER'", "Type=oneshot\nUser=ec2-user")
    _, console = lab.run(script + "systemctl start app; journalctl -u app -o cat -t sh --no-pager")
    assert "/home/ec2-user ec2-user" in console


def test_an_enabled_unit_starts_at_the_next_boot_and_a_started_one_does_not(lab: Lab) -> None:
    """systemctl(1): enable and start are independent of each other."""
    script = unit("/bin/sleep 1000", name="kept") + unit("/bin/sleep 1000", name="lost")
    instance = lab.launch(script + "systemctl daemon-reload; systemctl enable kept; systemctl start lost")
    lab.manager.wait_booted(instance, 20)
    assert list(lab.manager.units(instance)) == ["lost.service"]
    lab.manager.reboot(instance)
    assert lab.manager.wait_unit(instance, "kept.service", "active", 20)
    assert list(lab.manager.units(instance)) == ["kept.service"]


def test_a_unit_is_enabled_by_a_link_and_set_by_a_drop_in(lab: Lab) -> None:
    """systemd.unit(5): WantedBy= is a link in multi-user.target.wants; NAME.d/*.conf are read after the unit."""
    drop_in = (
        "mkdir -p /etc/systemd/system/app.service.d; printf '[Service]\\nEnvironment=X=1\\n' > "
        "/etc/systemd/system/app.service.d/more.conf\n"
    )
    wants = "/etc/systemd/system/multi-user.target.wants"
    link = f"ln -s /etc/systemd/system/app.service {wants}/; systemctl is-enabled app; systemctl start app\n"
    said = "Type=oneshot\nStandardOutput=append:/dev/console"
    boot, console = lab.run("set -e\n" + unit("/bin/sh -c 'echo x-is-$X'", said) + drop_in + link)
    assert boot.exit_code == 0, console
    assert "enabled" in console
    assert "x-is-" in console


def test_what_systemctl_sets_in_systemds_environment_is_gone_after_a_reboot(
    lab: Lab, until: Callable[..., None]
) -> None:
    """systemctl(1), "Environment Commands"."""
    said = "Type=oneshot\nStandardOutput=append:/dev/console"
    instance = lab.launch(
        "export TWO=2; systemctl set-environment ONE=1 GONE=3; systemctl import-environment TWO\n"
        "systemctl unset-environment GONE; systemctl show-environment; systemctl set-environment wrong; echo wrong=$?\n"
        + unit("/bin/sh -c 'echo sees:$${ONE}:$${TWO}:$${GONE}:'", said)
        + "systemctl enable --now app; systemctl edit app; echo edit=$?"
    )
    lab.manager.wait_booted(instance, 30)
    console = lab.manager.console_output(instance).decode()
    assert "ONE=1" in console, console
    assert "sees:1:2::" in console, console
    assert "wrong=1" in console
    assert "the imitation lacks systemctl edit" in console
    lab.manager.reboot(instance)
    lab.manager.wait_booted(instance, 30)
    until(lambda: "sees::::" in lab.manager.console_output(instance).decode())


_READY = """dnf install -qy python3.11 >/dev/null
cat > /opt/ready.py <<'PY'
import os, socket, time
time.sleep(float(os.environ["AFTER"]))
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(60)
PY
"""


def test_systemctl_start_waits_until_a_notify_unit_says_that_it_is_ready(lab: Lab) -> None:
    """systemd.service(5), "Type=notify", "TimeoutStartSec="."""
    command, more = (
        "/usr/bin/python3.11 /opt/ready.py",
        "Type=notify\nUser=ec2-user\nTimeoutStartSec=5\nEnvironment=AFTER=",
    )
    _, console = lab.run(
        _READY
        + unit(command, more + "0.2", name="good")
        + unit(command, more + "50\nTimeoutStartSec=0.5", name="late")
        + unit("/usr/bin/sleep 50", "Type=notify\nTimeoutStartSec=0.5", name="mute")
        + unit("/usr/bin/sleep 50", "Type=dbus", name="bus")
        + "systemctl start good; echo good=$?; systemctl is-active good\n"
        "systemctl start late; echo late=$?; systemctl start mute; echo mute=$?; systemctl start bus; echo bus=$?\n"
        "journalctl -u bus | cat"
    )
    for each in ("good=0", "active", "late=1", "mute=1", "a timeout was exceeded", "bus=1", "lacks D-Bus"):
        assert each in console, console


def test_a_unit_that_fails_is_restarted_when_it_says_so(lab: Lab, until: Callable[..., None]) -> None:
    """systemd.service(5), Restart=on-failure."""
    more = "Restart=on-failure\nRestartSec=20ms\nStartLimitBurst=50"
    instance = lab.launch(unit("/bin/sh -c 'sleep 0.02; exit 3'", more) + "systemctl start app")
    until(
        lambda: (
            lab.manager.units(instance)["app.service"].restarts >= 3 if lab.manager.units(instance) else False
        )
    )
    assert any("Scheduled restart job" in line for line in lab.manager.journal(instance, "app"))


def test_a_unit_that_keeps_failing_hits_the_start_limit(lab: Lab) -> None:
    """systemd.unit(5), StartLimitIntervalSec= and StartLimitBurst=: five starts in ten seconds."""
    instance = lab.launch(unit("/bin/false", "Restart=always\nRestartSec=0") + "systemctl start app")
    assert lab.manager.wait_unit(instance, "app.service", "failed", 20)
    assert lab.manager.units(instance)["app.service"].result == "start-limit-hit"


def test_a_unit_whose_program_is_missing_fails_with_203(lab: Lab) -> None:
    """systemd.exec(5), "Process Exit Codes": 203/EXEC."""
    _, console = lab.run(
        unit("/opt/none") + "systemctl start app; echo s=$?; systemctl status app; echo t=$?"
    )
    assert "s=0" in console
    assert "Active: failed (Result: exit-code)" in console
    assert "status=203/EXEC" in console
    assert "t=3" in console


def test_stopping_a_unit_ends_its_children_and_those_that_ignore_it(lab: Lab) -> None:
    """systemd.kill(5), KillMode=control-group; systemd.service(5), TimeoutStopSec=."""
    command = "/bin/bash -c 'trap \"\" TERM; setsid sleep 1001 & while :; do sleep 1002; done'"
    script = (
        unit(command, "TimeoutStopSec=200ms")
        + "systemctl start app; sleep 0.1; systemctl stop app; echo s=$?\n"
    )
    _, console = lab.run(
        script + "grep -l 100[12] /proc/[0-9]*/cmdline | grep -v $$ ; echo left=$?; systemctl is-failed app"
    )
    assert "s=0" in console
    assert "left=1" in console


# -- several, and the end --------------------------------------------------------------------------------


def serve(text: str) -> str:
    """A unit that answers HTTP on port 5417 with `text`."""
    return f"mkdir -p /srv/www; echo {text} > /srv/www/index.html\n" + unit(
        "/usr/bin/python3 -m http.server 5417", "WorkingDirectory=/srv/www"
    )


def test_two_instances_serve_on_the_same_port(lab: Lab, until: Callable[..., None]) -> None:
    """EC2: each instance has its own private address (UserGuide/using-instance-addressing.html)."""
    first, second = (lab.launch(serve(text) + "systemctl start app") for text in ("one", "two"))

    def answers(address: str) -> str:
        with contextlib.suppress(OSError):
            return lab.get(first, address, 5417).rpartition("\r\n\r\n")[2].strip()
        return ""

    until(lambda: answers("10.0.1.12") == "two", what="the second server")
    until(lambda: answers("10.0.1.11") == "one", what="the first server")
    assert lab.manager.boot(second).state == "ok"


def test_power_off_from_inside_ends_the_instance(lab: Lab, until: Callable[..., None]) -> None:
    """EC2, "Instance lifecycle": a shutdown from the operating system stops the instance."""
    instance = lab.launch("poweroff; sleep 60")
    until(lambda: lab.manager.boot(instance).state == "stopped")


def test_reboot_from_inside_boots_again(lab: Lab) -> None:
    instance = lab.launch(unit("/bin/sleep 1000") + "systemctl enable app; reboot; sleep 60")
    assert lab.manager.wait_unit(instance, "app.service", "active", 20)


def test_garbage_and_floods_from_inside_do_no_harm(lab: Lab) -> None:
    """What comes out of an instance is data, bounded in size."""
    instance = lab.launch("timeout 1 yes > /dev/console; exit 0")
    other = lab.launch("echo fine")
    assert lab.manager.wait_booted(other, 10).state == "ok"
    assert lab.manager.wait_booted(instance, 20).state == "ok"
    assert len(lab.manager.console_output(instance)) <= 64 << 10


def test_terminate_drops_the_disk(lab: Lab) -> None:
    """EC2, "Terminate your instance" (UserGuide/terminating-instances.html)."""
    instance = lab.launch("sleep 60")
    lab.manager.terminate(instance)
    assert lab.manager.boot(instance).state == "stopped"
    lab.manager.start(record(1, "#!/bin/bash\ntest ! -e /opt/mark"))
    assert lab.manager.wait_booted(instance, 20).exit_code == 0


def test_questions_about_an_unknown_instance_are_refused(lab: Lab) -> None:
    assert lab.manager.boot("i-none").state == "pending"
    with pytest.raises(LabError):
        lab.manager.console_output("i-none")


def test_nothing_is_left_behind(lab: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        instance = lab.launch("exit 0")
        lab.manager.wait_booted(instance, 20)
        lab.manager.terminate(instance)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


FLASK = """
set -euo pipefail
dnf install -y python3.11 python3.11-pip
python3.11 -m pip install flask boto3 waitress
mkdir -p /opt/flask-app
cat > /opt/flask-app/flask_app.py <<'PY'
import os

import boto3
from flask import Flask

app = Flask(__name__)
table = boto3.resource("dynamodb", region_name=os.environ["AWS_REGION"]).Table("t")


@app.get("/")
def health():
    return {"status": "healthy"}
PY
"""


def test_a_flask_server_answers_after_boot_and_after_a_reboot(lab: Lab, until: Callable[..., None]) -> None:
    """The lab's own server: user data installs, writes and enables it; systemd keeps it running."""
    command = "/usr/local/bin/waitress-serve --port=5417 flask_app:app"
    more = "User=ec2-user\nWorkingDirectory=/opt/flask-app\nEnvironment=AWS_REGION=ap-south-1\n"
    script = (
        FLASK + unit(command, more + "Restart=on-failure\nRestartSec=50ms") + "systemctl enable --now app\n"
    )
    instance = lab.launch(script)
    assert lab.manager.wait_booted(instance, 20).exit_code == 0

    def healthy() -> bool:
        with contextlib.suppress(OSError):
            return '"healthy"' in lab.get(instance, "10.0.1.11", 5417)
        return False

    until(healthy)
    lab.manager.reboot(instance)
    until(healthy)


def test_a_killed_unit_comes_back(lab: Lab) -> None:
    """systemctl(1), kill; systemd.service(5), Restart=on-failure: an unclean signal is a failure."""
    script = unit("/bin/sleep 1000", "Restart=on-failure\nRestartSec=10ms") + "systemctl start app\n"
    instance = lab.launch(script + "systemctl kill -s KILL app; sleep 0.2; systemctl is-active app")
    assert lab.manager.wait_booted(instance, 20).exit_code == 0
    assert lab.manager.units(instance)["app.service"].restarts == 1


def test_what_a_script_makes_at_the_root_is_the_instances(lab: Lab) -> None:
    """EC2, "Run commands on your Linux instance at launch": a script begins in /; services find what it made there."""
    _, console = lab.run(
        "echo beside > beside; mkdir -p /lab-app/static && cd /lab-app\n"
        "cat > app.py <<'PY'\nimport os\nopen('/lab-app/said', 'w').write(open('/beside').read() + os.getcwd())\n"
        "os.makedirs('/lab-data/x'); open('/lab-data/x/y', 'w').write('made')\nPY\n"
        + unit("/usr/bin/python3 /lab-app/app.py", "Type=oneshot\nWorkingDirectory=/lab-app")
        + "systemctl start app; cat /lab-app/said; echo; cd /; ls lab-app; cat lab-data/x/y\n"
    )
    assert "beside\n/lab-app\n" in console, console
    assert "app.py\nsaid\nstatic\nmade" in console, console
    assert not [name for name in ("beside", "lab-app", "lab-data") if Path("/", name).exists()]
