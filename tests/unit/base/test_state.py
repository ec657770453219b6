"""State files: old or new, never half; broken ones are named."""

import os
from pathlib import Path

import pytest

from labkit.base import state
from labkit.base.errors import BusyError, StateError


def test_what_was_written_is_read(tmp_path: Path) -> None:
    state.write_json(tmp_path / "deep" / "a.json", {"b": [1, "ü"]})
    assert state.read_json(tmp_path / "deep" / "a.json") == {"b": [1, "ü"]}


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert state.read_json(tmp_path / "none.json") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_a_broken_file_is_named_with_the_next_thing_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(StateError) as caught:
        state.read_json(path)
    assert str(path) in caught.value.message
    assert "mv " in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.processes
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "kept.json"
    state.write_json(path, {"old": True})
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # a file-size limit stands in for the full disk: the write fails half-way
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            state.write_bytes(path, b"x" * 100_000)
        except StateError as error:
            os.write(writer, error.message.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert "could not be written" in os.read(reader, 10_000).decode()
    os.close(reader)
    assert state.read_json(path) == {"old": True}
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateError, match="could not be written"):
        state.write_text(tmp_path / "file" / "below", "text")


@pytest.mark.processes
def test_a_lock_admits_one_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with state.exclusive(lock, busy="somebody else is at it"):
        child = os.fork()
        if child == 0:
            try:
                with state.exclusive(lock, busy="somebody else is at it"):
                    os._exit(0)
            except BusyError:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with state.exclusive(lock, busy="never"):
        assert lock.exists()
