"""Carrying a student's gaps into newer templates: everything round them is renewed, nothing is lost.

What belongs here: this one change of files. What does not: where gaps stand (labkit.course.gaps).
"""

from labkit.course import gaps
from labkit.course.workspace import Workspace, Workspaces


def update(workspaces: Workspaces, workspace: Workspace) -> dict[str, str]:
    """Renew every file outside its gaps; returns the backup's name for each file that changed.

    Raises WorkspaceError, before anything is written, when markers of a gap are broken.
    """
    mine = workspace.files()
    renewed = gaps.carry(mine, workspaces.starter(workspace))
    backups = {name: workspace.write(name, data) for name, data in renewed.items() if mine.get(name) != data}
    workspaces.note_templates(workspace)
    return backups
