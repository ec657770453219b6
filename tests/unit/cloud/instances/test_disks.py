"""Which disks are kept, and which are thrown away."""

import os
from pathlib import Path

from labkit.cloud.instances.disks import Disks


def made(disks: Disks, name: str, *, booted: bool) -> Path:
    place = disks.place(name)
    (place / "etc").mkdir(parents=True)
    if booted:
        disks.keep(name)
    return place


def test_only_disks_whose_first_boot_has_ended_and_whose_instance_lives_are_kept(tmp_path: Path) -> None:
    disks = Disks(tmp_path / "disks")
    places = {name: made(disks, name, booted=name != "i-half") for name in ("i-good", "i-half", "i-gone")}
    disks.forget_others(["i-good", "i-half"])
    assert [name for name, place in places.items() if place.exists()] == ["i-good"]
    assert disks.is_kept("i-good")
    assert not disks.is_kept("i-half")


def test_removing_one_follows_no_link_out(tmp_path: Path) -> None:
    prey = tmp_path / "prey"
    prey.write_text("unharmed")
    disks = Disks(tmp_path / "disks")
    place = made(disks, "i-1", booted=True)
    os.symlink(tmp_path, place / "etc" / "out")
    (place / "etc").chmod(0)
    disks.remove("i-1")
    assert not place.exists()
    assert not disks.is_kept("i-1")
    assert prey.read_text() == "unharmed"
