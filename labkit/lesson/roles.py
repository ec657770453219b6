"""The role that a lab uses instead of making roles: chosen, remembered for one target, and only where the account has it.

What belongs here: the choice. What does not: what the templates do with it.
"""

from typing import TYPE_CHECKING

from labkit.base import state
from labkit.base.errors import DeployError
from labkit.base.events import Event
from labkit.deploy.changeset import error_text
from labkit.deploy.targets import Clients

if TYPE_CHECKING:
    from labkit.lesson.context import Context

#: what an AWS Academy Learner Lab calls its role
LAB_ROLE = "LabRole"
_FILE, _CHOICE = "choices.json", "lab_role"


def choose(context: "Context") -> dict[str, str]:
    """The choices that go into the templates: the role as asked for, else as before, else the account's own.

    A role of another account is not kept: what was remembered and is not there is forgotten, with a warning. Raises
    DeployError for one that is asked for and not there; nothing is remembered then.
    """
    path = context.workspace.kept / _FILE
    choices: dict[str, str] = state.read_json(path) or {}
    asked = context.options.lab_role
    if asked is not None:
        if asked and not exists(context.clients, asked):
            raise _missing(context, asked)
        choices[_CHOICE] = asked
        state.write_json(path, choices)
    elif (before := choices.get(_CHOICE)) and not exists(context.clients, before):
        del choices[_CHOICE]
        state.write_json(path, choices)
        context.emit(
            Event("warning", f"This account has no role {before}, which was chosen before: {_INSTEAD}")
        )
    if context.own_role:
        choices.setdefault(_CHOICE, context.own_role)
    return choices


_INSTEAD = "it is not used any more."


def exists(clients: Clients, role: str) -> bool:
    """Whether the account has this role; True as well where we may not look."""
    from botocore.exceptions import ClientError

    try:
        clients.client("iam").get_role(RoleName=role)
    except ClientError as error:
        return error_text(error)[0] != "NoSuchEntity"
    return True


def _missing(context: "Context", role: str) -> DeployError:
    own = context.own_role
    way = (
        f"This account brings {own}: leave out --lab-role."
        if own
        else "Leave it out: your own roles are made."
    )
    return DeployError(
        f"This account has no role {role}.", hint=f"Nothing was started. {way}\n  ./lab deploy --lab-role ''"
    )
