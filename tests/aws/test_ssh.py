"""Port 22: key pairs, authorized_keys, and the ssh of this machine as the lab's shell has it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labkit.cli import ssh_client

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="this machine has no ssh")


@dataclass(frozen=True)
class Way:
    """Two servers in one VPC, one of them without a public address, and the key of both."""

    live: Any
    folder: Path
    key: str
    public: Any
    private: Any

    def ssh(self, *words: str, typed: str = "", user: str = "ec2-user", program: str = "ssh") -> Any:
        """What the shell's `ssh -i key user@address words` ends with; "ADDRESS" in words is the public one."""
        proxy = self.live.local.ask("GET", "proxy")["url"]
        place = f"{user}@{self.public['PublicIpAddress']}"
        given = [word.replace("PLACE", place) for word in words]
        where = [] if any(place in word for word in given) else [place]
        return subprocess.run(
            [self.folder / "bin" / program, "-i", self.folder / self.key, *where, *given], input=typed, text=True,
            capture_output=True, env={**os.environ, "http_proxy": proxy, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}, timeout=60, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def way(live: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("ssh")
    ssh_client.install(folder / "bin")
    for name, kind in (("mine", "ed25519"), ("other", "rsa")):
        material = live.ec2.create_key_pair(KeyName=name, KeyType=kind)["KeyMaterial"]
        (folder / name).write_text(material)
        (folder / name).chmod(0o600)
    vpc = live.vpc()
    with (
        live.instance("", vpc, KeyName="mine") as one,
        live.instance("", vpc, KeyName="mine", public=False, SubnetId=vpc.private) as other,
    ):
        yield Way(live, folder, "mine", live.described(one), live.described(other))


def test_the_key_pairs_owner_gets_in_as_ec2_user(way: Way) -> None:
    """EC2 user guide, "Connect to your Linux instance using an SSH client"."""
    done = way.ssh("echo $USER $HOME; pwd; hostname; cat; exit 3", typed="typed\n")
    assert (done.returncode, done.stderr) == (3, "")
    name = way.public["PrivateDnsName"].partition(".")[0]
    assert done.stdout.replace(f"{name}.", f"{name}\n").split()[:4] == [
        "ec2-user",
        "/home/ec2-user",
        "/home/ec2-user",
        name,
    ]
    assert done.stdout.endswith("typed\n")


def test_a_terminal_is_one(way: Way) -> None:
    """EC2 user guide, "Connect to your Linux instance using an SSH client": a login shell on a terminal."""
    done = way.ssh("-tt", typed="test -t 1 && echo term''inal\nexit 4\n")
    assert "\nterminal\n" in done.stdout
    assert "[ec2-user@ip-" in done.stdout
    assert done.returncode == 4


def test_no_other_key_and_no_other_user_gets_in(way: Way) -> None:
    """EC2 user guide, "Error: Permission denied (publickey)"; cloud-init's words for root."""
    done = Way(way.live, way.folder, "other", way.public, way.private).ssh("true")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr
    assert "Permission denied (publickey)" in way.ssh("true", user="ubuntu").stderr
    assert 'Please login as the user "ec2-user"' in way.ssh("true", user="root").stdout


def test_authorized_keys_is_the_servers_own_file(way: Way) -> None:
    """EC2 user guide, "Add or remove a public key on your instance"."""
    other = Way(way.live, way.folder, "other", way.public, way.private)
    (pair,) = way.live.ec2.describe_key_pairs(KeyNames=["other"], IncludePublicKey=True)["KeyPairs"]
    way.ssh("cat >> .ssh/authorized_keys", typed=pair["PublicKey"].strip() + "\n")
    assert other.ssh("echo in").stdout == "in\n"
    way.ssh("sed -i '$d' .ssh/authorized_keys")
    assert other.ssh("echo in").stdout == ""


def test_a_private_server_is_reached_through_the_public_one(way: Way) -> None:
    """EC2 user guide, "Connect to your Linux instance using an SSH client"; ssh(1), -W, which -J stands for."""
    hop = f"ProxyCommand ssh -i {way.folder / way.key} -W %h:%p PLACE"
    done = way.ssh("-o", hop, f"ec2-user@{way.private['PrivateIpAddress']}", "hostname")
    assert done.stdout.startswith(way.private["PrivateDnsName"].partition(".")[0])


def test_a_closed_port_22_is_a_time_out(way: Way) -> None:
    """EC2 user guide, "Error connecting to your instance: Connection timed out"."""
    (group,) = way.public["SecurityGroups"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    way.live.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=everything)
    try:
        done = way.ssh("-o", "ConnectTimeout=2", "true")
    finally:
        way.live.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=everything)
    assert done.returncode == 255
    assert way.ssh("echo in").stdout == "in\n"


@pytest.mark.skipif(shutil.which("scp") is None, reason="this machine has no scp")
def test_files_are_copied_both_ways(way: Way) -> None:
    """EC2 user guide, "Transfer files to Linux instances using an SCP client"."""
    (way.folder / "file").write_text("text")
    there = way.ssh(str(way.folder / "file"), "PLACE:there", program="scp")
    back = way.ssh("PLACE:there", str(way.folder / "back"), program="scp")
    assert (there.returncode, back.returncode) == (0, 0), (there.stderr, back.stderr)
    assert (way.folder / "back").read_text() == "text"


def test_the_metadata_service_has_the_key(way: Way) -> None:
    """EC2 user guide, "Instance metadata categories": public-keys/."""
    token = "$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' 169.254.169.254/latest/api/token)"
    ask = f'curl -s -H "X-aws-ec2-metadata-token: {token}" 169.254.169.254/latest/meta-data/public-keys'
    said = way.live.inside(way.public["InstanceId"], f"{ask}/; echo; {ask}/0/; echo; {ask}/0/openssh-key")
    assert said.split("\n")[:2] == ["0=mine", "openssh-key"]
    assert said.endswith("mine\n")
    assert said.split("\n")[2].startswith("ssh-ed25519 ")
