"""Paths below a root in which somebody has left traps."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.sandbox.filesystem.inside import Inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def tree(root: Path) -> Iterator[Inside]:
    tree = Inside(str(root))
    yield tree
    tree.close()


def test_files_with_their_folders(tree: Inside, root: Path) -> None:
    tree.write("/a/b/c", "one\r\n")
    tree.write("a/b/c", "two", keep=True)
    assert (root / "a/b/c").read_bytes() == b"one\r\n"
    tree.write("/a/b/c", "é")
    assert (root / "a/b/c").read_text() == "é"


def test_links_are_followed_inside(tree: Inside, root: Path) -> None:
    outside = root.parent / "outside"
    (root / "var").symlink_to(outside)  # absolute
    (root / "etc").symlink_to("../outside")
    (root / "hosts").symlink_to(outside / "hosts")
    tree.make_folder(str(outside))
    for path in ("/var/file", "/hosts"):
        tree.write(path, "text")
    with pytest.raises(OSError, match="etc"):
        tree.write("/etc/deep/file", "text")  # "/outside" inside is nothing to walk through
    assert os.listdir(outside) == []
    assert sorted(os.listdir(f"{root}{outside}")) == ["file", "hosts"]


def test_links_into_proc_are_refused(tree: Inside, root: Path) -> None:
    (root / "me").symlink_to("/proc/self/root")
    with pytest.raises(OSError, match="me"):
        tree.write("/me/tmp/file", "text")


def test_a_pipe_does_not_block(tree: Inside, root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(OSError, match="pipe"):
        tree.write("/pipe", "text")


def test_a_link_stays_as_it_is(tree: Inside, root: Path) -> None:
    tree.link("/dev/stdin", "fd/0")
    tree.link("/dev/stdin", "elsewhere")
    assert os.readlink(root / "dev/stdin") == "fd/0"


def test_mount_points_are_made(tree: Inside, root: Path) -> None:
    with tree.mount_point("/a/folder", is_folder=True) as name:
        assert os.path.samefile(name, root / "a/folder")
    with tree.mount_point("/a/file", is_folder=False) as name:
        assert os.path.samefile(name, root / "a/file")
