"""Which folders of this Python every sandbox gets to see."""

from pathlib import Path

from labkit.sandbox.filesystem.workshop import interpreter_folders


def test_what_lies_in_usr_is_there_anyway() -> None:
    assert interpreter_folders(["/usr", "/usr/local"], package=Path("/usr/lib/labkit")) == []


def test_installation_environment_and_package() -> None:
    found = interpreter_folders(["/opt/py", "/home/me/lab/.venv"], package=Path("/home/me/lab/labkit"))
    assert found == ["/home/me/lab/.venv", "/home/me/lab/labkit", "/opt/py"]


def test_a_folder_in_another_one_is_left_out() -> None:
    package = Path("/opt/env/lib/labkit")
    assert interpreter_folders(["/opt/env", "/opt/environment"], package=package) == [
        *("/opt/env", "/opt/environment")
    ]


def test_both_names_of_a_linked_installation(tmp_path: Path) -> None:
    (tmp_path / "3.11.7").mkdir()
    (tmp_path / "3.11").symlink_to("3.11.7")
    found = interpreter_folders([str(tmp_path / "3.11")], package=Path("/usr/x"))
    assert found == [str(tmp_path / "3.11"), str(tmp_path / "3.11.7")]
