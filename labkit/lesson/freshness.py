"""Files against what runs, and against what they were made from.

What belongs here: these two comparisons and their warnings. What does not: deploying.
"""

from datetime import datetime
from pathlib import Path

from labkit.base.events import Emit, Event
from labkit.course.workspace import Workspace
from labkit.lesson.context import Context

#: files that each engine deploys
_DEPLOYED = {
    "cloudformation": ("cloudformation-template.yaml", "lambda_function.py", "flask_app.py", "flask_server_startup.sh"),
    "terraform": (
        "main.tf", "variables.tf", "outputs.tf", "lambda_function.py", "flask_app.py", "flask_server_startup.sh",
    ),
}  # fmt: skip


def undeployed(workspace: Workspace) -> list[str]:
    """Names of files whose text is not the one that was deployed; empty when nothing is deployed."""
    deployed = workspace.standing.deployed
    if not deployed:
        return []
    before = deployed.get("files", {})
    now = workspace.hashes()
    names = _DEPLOYED.get(str(deployed.get("engine")), tuple(now))
    return [name for name in names if now.get(name) != before.get(name)]


def warn(workspace: Workspace, emit: Emit) -> None:
    """Say which files are newer than what runs, if any are."""
    names = undeployed(workspace)
    if not names:
        return
    at = datetime.fromisoformat(str(workspace.standing.deployed["at"])).astimezone().strftime("%H:%M:%S")
    if of := others(workspace):
        emit(
            Event(
                "warning",
                f"What runs was deployed from work/{of}/ at {at}, not from work/{workspace.path.name}/.",
            )
        )
    else:
        for name in names:
            text = f"{name} was saved at {_saved(workspace.path / name)}; what runs is the text of {at}."
            emit(Event("warning", text, {"file": name}))
    emit(Event("warning", "This judges what runs.  To deploy your files:  ./lab deploy"))


def others(workspace: Workspace) -> str:
    """The folder of the same student's from which what stands was deployed; "" where it was this one, or nothing stands."""
    return str(workspace.standing.deployed.get("of", ""))


def _saved(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("%H:%M:%S") if path.exists() else "deleted"


def warn_of_templates(context: Context) -> None:
    """Say which templates changed since the student's files were made: an edit there changes nothing that runs."""
    sources = {name: source for source, name in context.manifest.files.items()}
    for name in context.workspaces.newer_templates(context.workspace):
        text = (
            f"templates/{sources[name]} has changed since your {name} was made from it. Only "
            f"work/{context.workspace.path.name}/{name} counts: edit that one. For a newer version of the lab: ./lab update"
        )
        back = "Edited by mistake?  git checkout -- templates   (or copy the folder from the kit's zip again)"
        context.emit(Event("warning", text, {"file": name, "details": [back]}))
