"""What is kept of a cloud: whole or old, secret, of one version, and moved aside where it is broken."""

from pathlib import Path

import pytest

from labkit.base.errors import CloudError
from labkit.cloud.moto_seam.saving import write
from labkit.cloud.server.keeping import Kept, Loaded, Writer, load


def nothing() -> None:
    """Nobody else collects anything."""


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """The folder of an account in which a graph lies."""
    found = load(tmp_path / "kept", "full").kept
    Writer(found).write(write(nothing), 100.0)
    return found


def again(kept: Kept) -> Loaded:
    return load(kept.folder.parent, kept.folder.name)


def test_the_first_time_there_is_nothing(tmp_path: Path) -> None:
    found = load(tmp_path / "kept", "full")
    assert (found.graph, found.as_of, found.told) == (None, 0.0, ())


def test_what_was_written_is_read(kept: Kept) -> None:
    found = again(kept)
    assert found.graph is not None
    assert found.as_of == 100.0
    assert not found.told


def test_accounts_of_different_kinds_have_each_their_own(kept: Kept) -> None:
    assert load(kept.folder.parent, "learner-lab").graph is None
    assert again(kept).graph is not None


def test_nobody_else_can_read_it(kept: Kept) -> None:
    assert kept.control.stat().st_mode & 0o077 == 0
    assert kept.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "no base"])
def test_what_is_broken_is_told_and_moved_aside_and_it_begins_empty(kept: Kept, damage: str) -> None:
    data = kept.control.read_bytes()
    if damage == "no base":
        kept.tables.write_bytes(b"no base at all, and long enough to be looked at " * 100)
    else:
        broken = {"cut": data[:-1], "changed": data[:-1] + b"?", "empty": b""}[damage]
        kept.control.write_bytes(broken)
    found = again(kept)
    assert found.graph is None
    (told,) = found.told
    (aside,) = kept.folder.parent.glob("full.damaged-*")
    assert str(aside) in told
    assert (aside / "control").exists(), "nothing of it is lost"
    assert again(kept).told == (), "it is told once"


def test_another_version_s_is_refused_with_the_way_out_and_stays(kept: Kept) -> None:
    data = kept.control.read_bytes()
    (kept.folder / "version").write_text("0.0.1 (moto 1.0)\n")
    with pytest.raises(CloudError, match=r"version 0\.0\.1 \(moto 1\.0\)") as refused:
        again(kept)
    assert "./lab cloud stop --forget" in refused.value.hint
    assert kept.control.read_bytes() == data


def test_a_disk_that_can_t_be_read_now_is_no_damage(kept: Kept) -> None:
    kept.control.unlink()
    kept.control.mkdir()
    with pytest.raises(CloudError, match="can't be read now"):
        again(kept)
    assert not list(kept.folder.parent.glob("*.damaged-*"))
