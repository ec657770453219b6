"""What "Amazon Linux 2023" looks like from inside an instance: files, links, and a layer over /usr.

What belongs here: what lies where. What does not: what the programs do; each is a small file in the
folder `files` beside this module, run inside the instance by the instance's own interpreter.

The layer hides what this machine has and a fresh AMI has not (python3.11, pip, apt): its links lead
to /var/lib/lab/bin on the instance's disk, where `dnf install` puts what they then lead to.

`python3` is the image's: 3.9 on Amazon Linux 2023, 3.7 on Amazon Linux 2. A release older than this interpreter is a
small program that has it imitated (labkit.cloud.releases); the image's own programs use this interpreter itself.
"""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.aws import command_line
from labkit.aws.records import InstanceRecord
from labkit.cloud.instances.files.share.packages.catalogue import ABSENT, WITH_THE_IMAGE, hidden_programs
from labkit.cloud.instances.metadata import private_name
from labkit.sandbox.spec import Bind

_FILES = Path(__file__).with_name("files")
_RELEASES = Path(__file__).parents[1] / "releases"
_INSTALLED = "/var/lib/lab/bin"
_PYTHON = "/run/lab/python"
_OLDER = "/usr/share/lab/older"
#: Debian's interpreter looks here too, whatever its prefix
_DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"
_RELEASE = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_MINORS = range(6, 21)
_OWN_MINOR = sys.version_info[1]
#: this machine's programs, out of sight until a package brings one of them
_MACHINE = "/run/lab/machine"
_MACHINE_PROGRAMS = "/usr/bin"
#: runs an older release; flags of the interpreter go to the interpreter, the rest is the release's
_LAUNCHER = """#!/bin/bash
# python3.{minor}
flags=()
while :; do
    case "$1" in
        -c* | -m* | -V* | --version | - | "") break ;;
        -W | -X) flags+=("$1" "$2"); shift 2 ;;
        -[a-zA-Z]*[cm]) flags+=("${{1%?}}"); set -- "-${{1: -1}}" "${{@:2}}" ;;
        -*) flags+=("$1"); shift ;;
        *) break ;;
    esac
done
exec -a "$0" {python}/bin/{release} "${{flags[@]}}" {older}/lab/interpreter.py {minor} "$@"
"""
#: programs that share one file, which looks at the name it is called by
_NAMES = {
    "call": ("systemctl", "journalctl", "cloud-init", "reboot", "poweroff", "halt", "shutdown"),
    "accounts": ("useradd", "adduser", "usermod", "userdel", "groupadd", "groupdel"),
    "dnf": ("dnf", "yum"),
}
#: below share, and programs all the same
_RUN_FROM_SHARE = ("lacking",)
#: no image has these on its path from the start
_APART = ("amazon-linux-extras",)
#: of aws-cfn-bootstrap, in a folder of their own
_CFN = ("cfn-init", "cfn-signal", "cfn-hup", "cfn-get-metadata")
_CFN_PLACE = "/opt/aws/bin"
_NAMES["cfn"] = _CFN
#: not there until installed, or never on Amazon Linux
_HIDDEN = (
    "python", "python2", "pip", "pip3", "nginx", *sorted(ABSENT), *_APART, "apt", "apt-get", "apt-cache", "dpkg", "snap", "zypper", "pacman", "apk",
    *(f"{name}{minor}" for name in ("python3.", "pip3.", "pip-3.") for minor in _MINORS),
)  # fmt: skip

OS_RELEASE = """NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PLATFORM_ID="platform:al2023"
PRETTY_NAME="Amazon Linux 2023"
ANSI_COLOR="0;33"
CPE_NAME="cpe:2.3:o:amazon:amazon_linux:2023"
HOME_URL="https://aws.amazon.com/linux/amazon-linux-2023/"
DOCUMENTATION_URL="https://docs.aws.amazon.com/linux/"
SUPPORT_URL="https://aws.amazon.com/premiumsupport/"
BUG_REPORT_URL="https://github.com/amazonlinux/amazon-linux-2023"
VENDOR_NAME="AWS"
VENDOR_URL="https://aws.amazon.com/"
SUPPORT_END="2029-06-30"
"""
_OS_RELEASE_2 = """NAME="Amazon Linux"
VERSION="2"
ID="amzn"
ID_LIKE="centos rhel fedora"
VERSION_ID="2"
PRETTY_NAME="Amazon Linux 2"
ANSI_COLOR="0;33"
CPE_NAME="cpe:2.3:o:amazon:amazon_linux:2"
HOME_URL="https://amazonlinux.com/"
SUPPORT_END="2026-06-30"
"""
_PASSWD = """root:x:0:0:root:/root:/bin/bash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
mail:x:8:12:mail:/var/spool/mail:/sbin/nologin
nobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin
systemd-network:x:192:192:systemd Network Management:/:/usr/sbin/nologin
sshd:x:74:74:Privilege-separated SSH:/usr/share/empty.sshd:/sbin/nologin
ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash
"""
_NOT_ROOT = (
    'no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo \'Please login as the user \\"ec2-user\\" '
    'rather than the user \\"root\\".\';echo;sleep 10;exit 142"'
)
_GROUP = """root:x:0:
bin:x:1:
daemon:x:2:
adm:x:4:ec2-user
wheel:x:10:ec2-user
systemd-journal:x:190:ec2-user
nobody:x:65534:
ec2-user:x:1000:
"""


@dataclass(frozen=True)
class Image:
    """A built image: the layer's folder, which is the caller's to remove.

    `hides`: this machine's programs that are not the image's appear when a package brings them, and not before.
    """

    layer: str
    hides: bool = True

    def binds(self) -> tuple[Bind, ...]:
        """The interpreter's program, which the layer hides below /usr, and this machine's other programs."""
        program = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        own = Bind(program, f"{_PYTHON}/bin/{_RELEASE}")
        return (own, Bind(_MACHINE_PROGRAMS, _MACHINE)) if self.hides else (own,)

    def links(self, record: InstanceRecord) -> dict[str, str]:
        """Links that are made at each boot: the interpreter's installation, and the shelf of pip."""
        own = f"python3.{python_of(record)}"
        links = {f"{_PYTHON}/bin/{name}": own for name in ("python", "python3")}
        for minor in _MINORS:
            release = f"python3.{minor}"
            if minor < _OWN_MINOR:
                links[f"{_PYTHON}/bin/{release}"] = f"{_OLDER}/bin/{release}"
            elif minor > _OWN_MINOR:  # there is none newer here
                links[f"{_PYTHON}/bin/{release}"] = _RELEASE
        links[f"{_INSTALLED}/{own}"] = f"{_PYTHON}/bin/{own}"
        links |= {f"{_CFN_PLACE}/{name}": f"/usr/share/lab/bin/{name}" for name in _CFN}
        if is_amazon_linux_2(record):
            links |= {f"{_INSTALLED}/{name}": f"/usr/share/lab/bin/{name}" for name in _APART}
        for name in WITH_THE_IMAGE if self.hides else ():
            if os.path.exists(f"{_MACHINE_PROGRAMS}/{name}"):
                links[f"{_INSTALLED}/{name}"] = f"{_MACHINE}/{name}"
        for name in {"lib", sys.platlibdir}:
            links[f"{_PYTHON}/{name}/{_RELEASE}"] = os.path.join(sys.base_prefix, name, _RELEASE)
            # first on the interpreter's path, before the standard library: what replaces parts of it
            links[f"{_PYTHON}/{name}/{_RELEASE.replace('.', '')}.zip"] = "/usr/share/lab/stdlib"
        # an interpreter that can be moved looks for its library beside itself
        for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
            links[f"{_PYTHON}/lib/{library.name}"] = str(library)
        return {**links, "/run/lab/site": sysconfig.get_path("purelib")}


def build(folder: Path, *, hides: bool = True) -> Image:
    """Make the layer below `folder`, an existing empty folder that others may read. `hides`: see Image."""
    usr = folder / "usr"
    programs, share = usr / "bin", usr / "share" / "lab"
    programs.mkdir(parents=True)
    shutil.copytree(_FILES / "share", share, ignore=shutil.ignore_patterns("__pycache__"))
    (share / "bin").mkdir()
    for source in sorted((_FILES / "bin").iterdir()):
        for name in _NAMES.get(source.name, (source.name,)):
            _program(source, (share / "bin" if name in (*_APART, *_CFN) else programs) / name)
    _in_sbin(usr)
    shutil.copyfile(command_line.__file__, share / "command_line.py")
    _older_releases(share / "older")
    (usr / "share/nginx/html").mkdir(parents=True)  # a place for the disk's folder
    (programs / "python3").symlink_to(f"{_PYTHON}/bin/python3")
    for name in dict.fromkeys((*_HIDDEN, *(_not_the_images() if hides else ()))):
        (programs / name).symlink_to(f"{_INSTALLED}/{name}")
    _python_home(usr)
    for place in [usr, *usr.rglob("*")]:
        if not place.is_symlink():
            runs = place.is_dir() or place.parent.name == "bin" or place.name in _RUN_FROM_SHARE
            place.chmod(0o755 if runs else 0o644)
    return Image(str(usr), hides)


def _not_the_images() -> list[str]:
    """Programs of this machine that an image has only once a package has brought them."""
    return sorted(hidden_programs() | set(WITH_THE_IMAGE))


def python_of(record: InstanceRecord) -> int:
    """The minor version of the image's own Python 3."""
    return 7 if is_amazon_linux_2(record) else 9


def is_amazon_linux_2(record: InstanceRecord) -> bool:
    """Whether the instance's image is Amazon Linux 2."""
    return record.image_name.startswith("amzn2-")


def _older_releases(folder: Path) -> None:
    """An installation of its own for the eyes of `python -m venv`, which follows links to find the library."""
    for name in ("bin", "lab"):
        (folder / name).mkdir(parents=True)
    for name in ("older.py", "interpreter.py", "news.json"):
        shutil.copyfile(_RELEASES / name, folder / "lab" / name)
    for minor in range(_MINORS.start, _OWN_MINOR):
        text = _LAUNCHER.format(minor=minor, python=_PYTHON, release=_RELEASE, older=_OLDER)
        (folder / "bin" / f"python3.{minor}").write_text(text)
    for name in {"lib", sys.platlibdir}:
        (folder / name).symlink_to(f"{_PYTHON}/{name}")


def _program(source: Path, target: Path) -> None:
    """The image's own programs are run by the interpreter itself, whatever `python3` is."""
    text = source.read_text(encoding="utf-8")
    target.write_text(
        text.replace("#!/usr/bin/python3 ", f"#!{_PYTHON}/bin/{_RELEASE} ", 1), encoding="utf-8"
    )


def _in_sbin(usr: Path) -> None:
    """Where /usr/sbin is a folder of its own, what lies there too comes first on the path."""
    if os.path.islink("/usr/sbin") or not os.path.isdir("/usr/sbin"):
        return
    (usr / "sbin").mkdir()
    for name in (*_NAMES["accounts"], "reboot", "poweroff", "halt", "shutdown", "nginx", *sorted(ABSENT)):
        (usr / "sbin" / name).symlink_to(f"../bin/{name}")


def _python_home(usr: Path) -> None:
    """Make /usr a Python environment of its own: this machine's packages are not the instance's.

    Its site-packages is /usr/local/lib/python3.x/site-packages, as on Amazon Linux; each release has its own.
    """
    (usr / "pyvenv.cfg").write_text(f"home = {_PYTHON}/bin\ninclude-system-site-packages = false\n")
    for name in ("lib", "lib64"):
        if os.path.isdir(f"/usr/{name}") and not os.path.islink(f"/usr/{name}"):
            (usr / name / _RELEASE).mkdir(parents=True)
            (usr / name / _RELEASE / "site-packages").symlink_to(f"/usr/local/lib/{_RELEASE}/site-packages")
    if os.path.isdir(_DEBIAN_PACKAGES):
        (usr / "lib" / "python3").mkdir()
        (usr / "lib" / "python3" / "dist-packages").symlink_to(f"{_PYTHON}/none")


def skeleton(record: InstanceRecord, hosts: str = "") -> Mapping[str, str]:
    """The files on the disk of a new instance, path → text; `hosts` are more lines for /etc/hosts."""
    name = private_name(record)
    return {
        "/etc/os-release": _OS_RELEASE_2 if is_amazon_linux_2(record) else OS_RELEASE,
        "/etc/system-release": "Amazon Linux release "
        + ("2 (Karoo)\n" if is_amazon_linux_2(record) else "2023.9 (Amazon Linux)\n"),
        "/etc/passwd": _PASSWD,
        "/etc/group": _GROUP,
        "/etc/hostname": name + "\n",
        "/etc/dnf/vars/awsregion": record.region + "\n",
        "/etc/hosts": "127.0.0.1 localhost localhost.localdomain\n"
        f"{record.private_ip} {name} {name.partition('.')[0]}\n"
        f"{hosts}",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/locale.conf": "LANG=C.UTF-8\n",
        "/root/.bashrc": "# .bashrc\n",
        **_authorized(record),
    }


def _authorized(record: InstanceRecord) -> Mapping[str, str]:
    """Who gets in by SSH: the key pair's owner as ec2-user, and root is told so (cloud-init, disable_root)."""
    if not record.public_key:
        return {}
    return {
        "/home/ec2-user/.ssh/authorized_keys": f"{record.public_key}\n",
        "/root/.ssh/authorized_keys": f"{_NOT_ROOT} {record.public_key}\n",
    }
