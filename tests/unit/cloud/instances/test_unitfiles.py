"""Unit files on a disk: loading, enabling, masking."""

from pathlib import Path

import pytest

from labkit.cloud.instances.system.unitfiles import Masked, NoUnit, UnitFiles

ETC = "etc/systemd/system"


@pytest.fixture
def files(tmp_path: Path) -> UnitFiles:
    (tmp_path / ETC).mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/null").write_text("")
    return UnitFiles(lambda unit, text: None, root=str(tmp_path))


def put(files: UnitFiles, name: str, text: str = "", wanted: str = "multi-user.target") -> Path:
    path = Path(files.root) / ETC / name
    install = f"[Install]\nWantedBy={wanted}\n" if wanted else ""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[Service]\nExecStart=/bin/a\n{text}\n{install}")
    return path


def test_enable_links_and_disable_unlinks(files: UnitFiles) -> None:
    """systemctl(1), enable: symlinks below the target's .wants folder."""
    put(files, "a.service")
    said = files.enable("a.service")
    link = "/etc/systemd/system/multi-user.target.wants/a.service"
    assert said == f"Created symlink {link} → /etc/systemd/system/a.service.\n"
    assert (files.state("a.service"), files.at_boot()) == ("enabled", ["a.service"])
    assert files.enable("a.service") == ""
    assert files.disable("a.service") == f'Removed "{link}".\n'
    assert (files.state("a.service"), files.at_boot()) == ("disabled", [])


def test_a_unit_without_install_section_is_static(files: UnitFiles) -> None:
    put(files, "a.service", wanted="")
    assert "no installation config" in files.enable("a.service")
    assert files.state("a.service") == "static"


def test_missing_units(files: UnitFiles) -> None:
    for call in (files.load, files.enable, files.disable, files.state, files.text):
        with pytest.raises(NoUnit, match=r"none\.service"):
            call("none.service")


def test_templates_and_drop_ins(files: UnitFiles) -> None:
    """systemd.unit(5): name@.service, and NAME.d/*.conf over the file."""
    put(files, "web@.service", "Environment=PORT=%i")
    assert files.load("web@80.service").environment == (("PORT", "80"),)
    put(files, "a.service")
    drop = Path(files.root) / ETC / "a.service.d"
    drop.mkdir()
    (drop / "10.conf").write_text("[Service]\nExecStart=\nExecStart=/bin/b\n")
    assert files.load("a.service").start[0].words == ("/bin/b",)


def test_a_change_is_seen_only_after_daemon_reload(files: UnitFiles) -> None:
    """systemctl(1), daemon-reload."""
    path = put(files, "a.service")
    files.load("a.service")
    path.write_text("[Service]\nExecStart=/bin/new\n")
    assert files.changed("a.service")
    assert files.load("a.service", cached=True).start[0].words == ("/bin/a",)
    files.reload()
    assert files.load("a.service", cached=True).start[0].words == ("/bin/new",)
    assert not files.changed("a.service")


def test_a_masked_unit_can_not_be_loaded(files: UnitFiles) -> None:
    """systemctl(1), mask."""
    Path(files.root, "usr/lib/systemd/system").mkdir(parents=True)
    Path(files.root, "usr/lib/systemd/system/a.service").write_text("[Service]\nExecStart=/bin/a\n")
    files.mask("a.service")
    own = Path(files.root) / ETC / "a.service"
    assert own.is_symlink()
    own.unlink()
    own.symlink_to(Path(files.root) / "dev/null")
    with pytest.raises(Masked):
        files.load("a.service")
    files.unmask("a.service")
    assert files.load("a.service").start
