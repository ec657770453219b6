"""A rehearsal that can't be set up says so and runs nothing; one that can gives the command's own status."""

from pathlib import Path

import pytest

from labkit.base.errors import SandboxUnavailable
from labkit.cloud.client import rehearsal


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of the stage a program that does as its last word says: `refuse`, or exit with that status."""
    program = tmp_path / "stage"
    program.write_text(
        '#!/bin/sh\n[ "$8" = refuse ] && { echo "the kernel says no" > "$4/refused"; exit 69; }\nexit "$8"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(rehearsal.sys, "executable", str(program))
    return tmp_path


@pytest.mark.processes
def test_where_there_are_no_namespaces_nothing_is_run_and_that_is_said(stage: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"the kernel says no\. Nothing was run") as caught:
        rehearsal.run(stage, "full", ["refuse"], {})
    assert "docs/tiers.md" in caught.value.hint
    assert rehearsal.run(stage, "full", ["0"], {}) == 0


@pytest.mark.processes
@pytest.mark.parametrize("status", [0, 3, 69])
def test_the_commands_status_is_passed_on(stage: Path, status: int) -> None:
    assert rehearsal.run(stage, "full", [str(status)], {}) == status


def test_on_a_system_without_namespaces_it_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal.sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="it needs Linux"):
        rehearsal.run(tmp_path, "full", ["true"], {})
