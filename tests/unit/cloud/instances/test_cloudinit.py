"""What cloud-init makes of user data."""

import pytest

from labkit.cloud.instances.system.cloudinit import EDITIONS, failed, finished, plan


def test_a_script_runs_exactly_as_given() -> None:
    script = b"#!/bin/bash\necho \xff\r\n"
    assert plan(script).script == script


def test_line_ends_are_converted_when_the_first_line_has_windows_ones() -> None:
    """cloud-init, util.dos2unix, used by its shell script handler since 0.6."""
    assert plan(b"#!/bin/bash\r\necho a\r\n").script == b"#!/bin/bash\necho a\n"


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_nothing_is_nothing(data: bytes) -> None:
    assert plan(data) == plan(b"")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"#cloud-config\npackages: [jq]\n", "cloud-config"),
        (b"\x1f\x8bzip", "gzip"),
        (b"Content-Type: multipart/mixed\n", "multipart"),
        (b"\n#!/bin/bash\n", "Unhandled non-multipart"),
        (b" #!/bin/bash\n", "Unhandled non-multipart"),
        (
            b"IyEvYmluL2Jhc2g=",
            "Unhandled non-multipart (text/x-not-multipart) userdata: 'b'IyEvYmluL2Jhc2g='...'",
        ),
    ],
)
def test_what_is_no_script_is_warned_about(data: bytes, word: str) -> None:
    """cloud-init, "User data formats"."""
    assert plan(data).script == b""
    assert word in plan(data).warning


def test_words() -> None:
    assert "[WARNING]: Failed running /var/lib/cloud/instance/scripts/part-001 [3]" in failed(
        EDITIONS["Amazon Linux 2023"], 3, 0.0
    )
    assert finished(EDITIONS["Amazon Linux 2023"], 0.0, 1.234).startswith(
        "Cloud-init v. 22.2.2 finished at Thu, 01 Jan 1970 00:00:00 +0000."
    )
