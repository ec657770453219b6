"""Linux inside Windows, recognised by what it shows in /proc."""

import pytest

from labkit.base import wsl

WSL2 = "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@build) (gcc 11.2.0) #1 SMP Tue Nov 5"
WSL1 = "Linux version 4.4.0-22621-Microsoft (Microsoft@Microsoft.com) (gcc version 5.4.0) #2506-Microsoft"
UBUNTU = "Linux version 6.8.0-49-generic (buildd@lcy02) (x86_64-linux-gnu-gcc-13) #49-Ubuntu SMP"
MOUNTS = """/dev/sdc / ext4 rw,relatime,discard,errors=remount-ro,data=ordered 0 0
none /mnt/wsl tmpfs rw,relatime 0 0
C:\\134 /mnt/c 9p rw,noatime,dirsync,aname=drvfs;path=C:\\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap 0 0
D:\\134 /windows/My\\040Disk 9p rw,noatime,aname=drvfs;path=D:\\ 0 0
"""


@pytest.mark.parametrize(("text", "kind"), [(WSL2, "wsl2"), (WSL1, "wsl1"), (UBUNTU, ""), ("", "")])
def test_the_kernel_tells(text: str, kind: str) -> None:
    assert wsl.kind(text) == kind


@pytest.mark.parametrize(
    ("path", "is_windows"),
    [
        ("/mnt/c/Users/ana/lab", True),
        ("/mnt/c", True),
        ("/windows/My Disk/lab", True),
        ("/home/ana/lab", False),
        ("/mnt/cc/lab", False),
        ("/mnt/wsl/lab", False),
    ],
)
def test_the_disks_of_windows_are_known_by_their_file_system(path: str, is_windows: bool) -> None:
    assert wsl.on_windows_disk(path, MOUNTS) is is_windows


def test_a_shared_folder_of_another_machine_is_no_windows_disk() -> None:
    assert not wsl.on_windows_disk("/work/lab", "hostshare /work 9p rw,trans=virtio 0 0\n")
    assert not wsl.on_windows_disk("/home/ana", "")


def test_what_started_before_the_machine_did_was_stopped_by_windows() -> None:
    stat = "cpu  1 2 3\nbtime 1700000500\nprocesses 9\n"
    assert wsl.stopped_by_windows(1_700_000_000.0, WSL2, stat)
    assert not wsl.stopped_by_windows(1_700_000_900.0, WSL2, stat)
    assert not wsl.stopped_by_windows(1_700_000_000.0, UBUNTU, stat)
    assert not wsl.stopped_by_windows(1_700_000_000.0, WSL2, "")
