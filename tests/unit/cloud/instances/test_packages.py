"""Which packages an instance's dnf has, and what it says about the others; crond's tables; version 2's lines."""

import time

import pytest

from labkit.cloud.instances.files.share.cron import tables
from labkit.cloud.instances.files.share.packages import catalogue, command


@pytest.mark.parametrize(
    "name",
    [
        *(
            "mariadb105-server",
            "mysql-community-client",
            "php",
            "php8.2-fpm",
            "docker",
            "java-17-amazon-corretto-headless",
        ),
        *(
            "postgresql15",
            "redis6",
            "haproxy",
            "mod_ssl",
            "amazon-efs-utils",
            "epel-release",
            "openssl-devel",
            "python3-flask",
        ),
    ],
)
def test_a_package_of_amazons_repository_that_is_not_here_is_never_a_mistyped_name(name: str) -> None:
    """AL2023 release notes, "All AL2023 packages"."""
    assert not command.known(name)
    assert command.lacking(name)


def test_what_is_here_is_the_same_on_every_machine() -> None:
    """AL2023 release notes, "All AL2023 packages"."""
    here = ("httpd", "nginx", "cronie", "python3.11", "python3-pip", "awscli-2", "aws-cfn-bootstrap", "unzip")
    assert [name for name in here if not command.known(name)] == []
    assert not command.known("no-such-package")
    assert not command.lacking("no-such-package")


def test_a_program_of_this_machine_is_none_of_the_image() -> None:
    """AL2023 user guide, "Package management": git is there once it is installed."""
    assert {"git", "jq", "node"} <= catalogue.hidden_programs()
    assert not {"curl", "unzip", "tar"} & (catalogue.hidden_programs() | catalogue.ABSENT)


def test_crontabs_fields() -> None:
    """crontab(5): lists, ranges, steps, names; both days given: one of them is enough."""
    text = (
        "MAILTO=x\n*/15 9-17 * * mon-fri run one\n0 0 1 * sun run two\n@hourly run three\n@reboot run four\n"
    )
    one, two, three, four = tables.read(text, with_user=False)
    tuesday = time.strptime("2026-12-01 09:15", "%Y-%m-%d %H:%M")
    assert [job.due(tuesday) for job in (one, two, three, four)] == [True, False, False, False]
    midnight = time.strptime("2026-12-01 00:00", "%Y-%m-%d %H:%M")
    assert [job.due(midnight) for job in (one, two, three, four)] == [False, True, True, False]
    assert four.at_start
    assert one.environment == {"MAILTO": "x"}
    (system,) = tables.read("5 4 * * * root run five\n", with_user=True)
    assert system.command == "run five"


@pytest.mark.parametrize(
    ("line", "words"),
    [("61 * * * * x", "1: bad minute"), ("* * * x", "1: bad command"), ("* * 0 * * x", "day-of-month")],
)
def test_a_wrong_line_of_a_crontab_is_refused(line: str, words: str) -> None:
    """crontab(1): errors in crontab file, can't install."""
    with pytest.raises(tables.Mistake, match=words):
        tables.read(line, with_user=False)
