"""What a unit's process is given."""

import pytest

from labkit.cloud.instances.system.environment import (
    BASE,
    MissingFile,
    UnknownUser,
    accounts,
    arguments,
    environment_file,
    unit_environment,
)
from labkit.cloud.instances.system.units import Command, Service

PASSWD = accounts("root:x:0:0:root:/root:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\n")


def missing(path: str) -> str:
    raise FileNotFoundError(path)


def test_a_unit_without_user_has_no_home() -> None:
    """systemd.exec(5): $HOME, $USER, $LOGNAME and $SHELL are set only for units with User=."""
    made = unit_environment(Service("a.service"), "id", read=missing, passwd=PASSWD)
    assert made == {**BASE, "INVOCATION_ID": "id"}


def test_user_sets_the_login_variables() -> None:
    made = unit_environment(Service("a.service", user="1000"), "id", read=missing, passwd=PASSWD)
    assert (made["HOME"], made["USER"], made["LOGNAME"]) == ("/home/ec2-user", "ec2-user", "ec2-user")


def test_an_unknown_user_is_refused() -> None:
    with pytest.raises(UnknownUser):
        unit_environment(Service("a.service", user="flask"), "id", read=missing, passwd=PASSWD)


def test_files_override_the_unit_and_only_a_dash_lets_them_be_missing() -> None:
    """systemd.exec(5), EnvironmentFile=."""
    both = Service(
        "a.service", environment=(("A", "unit"), ("B", "unit")), environment_files=(("/e", False),)
    )
    made = unit_environment(both, "id", read=lambda _: "A=file", passwd=PASSWD)
    assert (made["A"], made["B"]) == ("file", "unit")
    optional = Service("a.service", environment_files=(("/e", True),))
    assert "A" not in unit_environment(optional, "id", read=missing, passwd=PASSWD)
    with pytest.raises(MissingFile):
        unit_environment(both, "id", read=missing, passwd=PASSWD)


def test_environment_files_are_no_shell_scripts() -> None:
    """systemd.exec(5): no expansion, and "export" is no assignment."""
    text = "# c\nA='x y'\nexport B=1\nC=$A\nD=\"q\"\n\nE=1=2\n"
    assert environment_file(text) == {"A": "x y", "C": "$A", "D": "q", "E": "1=2"}


def test_variables_in_command_lines() -> None:
    """systemd.service(5), "Command Lines": ${X} stays one word, a lone $X is split, $$ is a dollar."""
    words = ("/bin/$X", "--a=${X}", "$X", "$$X", "$NONE", "${NONE}")
    assert arguments(Command(words), {"X": "1 2"}) == ["/bin/$X", "--a=1 2", "1", "2", "$X", ""]
