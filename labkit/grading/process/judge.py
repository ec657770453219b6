"""The judging process: python -I -m labkit.grading.process.judge TASK DESCRIPTOR, or a fork of the warm parent.

Started by labkit.grading.process.runner, it deploys, checks, and writes one JSON line for each thing it comes to know to
the descriptor. It imports the kit and the checks; student code never runs in it, and it holds neither the grader
key nor the result. It ends when its standard input does: nobody waits for it any more.

What belongs here: this process's life and how pytest is started in it. What does not: verdicts (session).
"""

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.base.leash import guard
from labkit.cloud.client.launching import execute
from labkit.course import manifest, rubric
from labkit.grading.judging.session import Session
from labkit.grading.model import NO_CHECK
from labkit.grading.process import task
from labkit.grading.process.plugin import NAME, GradingPlugin, find
from labkit.grading.process.starting import Warm

#: no settings, plug-ins, conftest, cache or collector but ours
_PYTEST = (
    "-c", os.devnull, "--noconftest", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:warnings",
    "-p", "no:python", "-p", "no:unraisableexception", "-p", "no:threadexception", "--import-mode=importlib", "--assert=plain", "-q", "--no-header",
)  # fmt: skip


class Reporter:
    """Writes reports as JSON lines; one line is one write, so a kill cuts none in two."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def __call__(self, kind: str, values: Mapping[str, Any]) -> None:
        """Tell one thing."""
        self._file.write(json.dumps({"kind": kind, **values}).encode() + b"\n")


def main(path: Path, descriptor: int, warm: int = -1) -> int:
    """Judge what the task says; 0 when it went through, whatever the verdicts. `warm`: asks the warm parent."""
    guard(0)
    report = Reporter(descriptor)
    asked = task.read(path)
    sys.path.append(asked.root)  # last: checks share grader.support, and nothing of ours is hidden by it
    root, launch = Path(asked.root), Warm.inherited(warm).cloud if warm >= 0 else execute
    session = Session.of(
        asked,
        manifest.load(root),
        rubric.load(root),
        launch,
        lambda cloud: report(
            "cloud", {"tier": cloud.tier, "tier_text": cloud.tier_text, "tier_fix": cloud.tier_fix}
        ),
        lambda text: report("trouble", {"text": text}),
    )
    threading.Thread(target=_follow, args=(session,), name="leash", daemon=True).start()
    try:
        status = _judge(session, report)
        report("end", {"status": status})
        return status
    except Exception as error:
        report(
            "trouble", {"text": f"{type(error).__name__}: {error}", "where": traceback.format_exc()[-2000:]}
        )
        return 70
    finally:
        session.close()


def _judge(session: Session, report: Reporter) -> int:
    import pytest

    wanted = [session.rubric.line(name) for name in session.task.lines]
    files, missing = find(session.task.checks, wanted)
    for line in missing:
        report("missing", {"line": line.id, "why": NO_CHECK})
    if not files:
        return 0
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ.pop("PYTEST_PLUGINS", None)
    plugin = GradingPlugin(session, [line for line in wanted if line not in missing], files, report)
    folders = sorted(
        {str(file.parent) for file in files}
    )  # pytest looks through a folder once for each argument
    arguments = [*_PYTEST, f"--rootdir={session.task.root}", *folders]
    return int(pytest.main(arguments, plugins=[_Named(plugin)]))


class _Named:
    """Registers the plugin under its name, so that items find it."""

    def __init__(self, plugin: GradingPlugin) -> None:
        self._plugin = plugin

    def pytest_configure(self, config: Any) -> None:
        """Called by pytest."""
        config.pluginmanager.register(self._plugin, NAME)


def _follow(session: Session) -> None:
    """End with whoever started us: clouds, folder, process."""
    while os.read(0, 1):
        pass
    try:
        session.close()
        shutil.rmtree(session.task.work, ignore_errors=True)
    finally:
        os._exit(75)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
