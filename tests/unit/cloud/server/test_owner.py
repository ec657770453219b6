"""The account's owner: made once for a folder, and found again."""

import socket
from pathlib import Path

import pytest

from labkit.cloud.server import owner
from labkit.cloud.server.owner import Owner


def test_it_is_kept_and_found_again_and_nobody_else_reads_it(tmp_path: Path) -> None:
    made = Owner.make()
    owner.save(tmp_path, made)
    assert owner.load(tmp_path) == made
    assert (tmp_path / owner.FILE).stat().st_mode & 0o777 == 0o600
    assert made.secret_access_key not in repr(made) + repr(made.keys)


def test_each_is_another_in_the_form_of_aws(tmp_path: Path) -> None:
    first, second = owner.load(tmp_path), owner.load(tmp_path)
    assert first != second
    assert first.access_key_id.startswith("AKIA")
    assert (len(first.access_key_id), len(first.secret_access_key)) == (20, 40)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"access_key_id": 1, "secret_access_key": "x"}', '{"other": ""}']
)
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / owner.FILE).write_text(text)
    (tmp_path / owner.FILE).chmod(0o600)
    assert len(owner.load(tmp_path).secret_access_key) == 40


def test_a_secret_that_others_could_read_is_none_any_more(tmp_path: Path) -> None:
    made = Owner.make()
    owner.save(tmp_path, made)
    (tmp_path / owner.FILE).chmod(0o644)
    assert owner.load(tmp_path) != made


def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with owner.listen_on_loopback(port) as other:
            assert other.getsockname()[1] not in (0, port)
    with owner.listen_on_loopback(port) as mine:
        assert mine.getsockname()[1] == port
