"""Rights of roles, read and tried out: attempts as a role, and rights taken away for a moment.

What belongs here: what the checks of permissions share, and the words for what was read in policies. What does not: what may be allowed (the checks).
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.aws.iam.analysis import Excess, Needed, Policies, excesses
from labkit.aws.iam.catalog import spelt
from labkit.grading.api import Lab, Refusal

_REFUSED = ("AccessDenied", "UnauthorizedOperation", "403", "Forbidden", "NotAuthorized")
#: verbs of actions that change nothing (IAM user guide: "Access level summaries")
_LOOKING = (
    "batchget", "check", "count", "describe", "detect", "download", "estimate", "export", "filter", "get", "head",
    "list", "lookup", "partiqlselect", "preview", "query", "read", "receive", "retrieve", "scan", "search", "select",
    "simulate", "verify", "view",
)  # fmt: skip
_SHOWN = 8
_NAME = "grading-takes-this-away"


@dataclass(frozen=True)
class Attempt:
    """One thing tried as a role: in words, and the call."""

    words: str
    call: Callable[..., Any]
    arguments: Mapping[str, Any]

    def outcome(self, lab: Lab) -> Any:
        """What AWS answered: a value, or a Refusal."""
        return lab.aws(self.call, **self.arguments)

    def is_refused(self, lab: Lab) -> bool:
        """Whether AWS refused it for lack of permission; any other error means that permission was there."""
        return denied(self.outcome(lab))


def denied(outcome: Any) -> bool:
    """Whether an outcome is a refusal for lack of permission."""
    return isinstance(outcome, Refusal) and outcome.code.startswith(_REFUSED)


def deciding(lab: Lab, said: Refusal) -> list[str]:
    """What decided a refusal: action, resource, and the statement or the lack of one."""
    found = next((each for each in reversed(lab.denials()) if each["message"] == said.message), {})
    names = ("action", "resource", "reason", "policy", "statement")
    lines = [f"{name}: {found[name]}" for name in names if found.get(name)]
    return lines if found.get("statement") else [*lines, *_near(lab, found.get("action", ""))]


def _near(lab: Lab, action: str) -> Iterator[str]:
    """What the server's own policies do allow of this action: mostly the right action on the wrong ARN."""
    api, role = lab.clients.client("iam"), lab.server.role_arn.rsplit("/", 1)[-1]
    for name in api.list_role_policies(RoleName=role)["PolicyNames"]:
        statements = api.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"].get(
            "Statement", []
        )
        for number, each in enumerate(statements if isinstance(statements, list) else [statements], 1):
            if action and action in str(each.get("Action")):
                yield f"policy {name}, statement {number}: {each.get('Effect')} on {each.get('Resource')}"


@contextlib.contextmanager
def taken_away(lab: Lab, *actions: str) -> Iterator[None]:
    """The server's role without these actions while the body runs, by an explicit Deny."""
    api, role = lab.clients.client("iam"), lab.server.role_arn.rsplit("/", 1)[-1]
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    api.put_role_policy(RoleName=role, PolicyName=_NAME, PolicyDocument=document)
    try:
        yield
    finally:
        api.delete_role_policy(RoleName=role, PolicyName=_NAME)


def beyond(policies: Policies, needed: Sequence[Needed], sorts: Mapping[str, str]) -> dict[str, list[Excess]]:
    """What the policies allow beyond what is needed, by sort: `sorts` says of which an action is.

    `sorts` maps actions ("s3:putobject") to their sort; the others are "looking" or "changing" by their verb. Read
    until there is one of each sort, else to the end. What could not be decided stands under "undecided".
    """
    found: dict[str, list[Excess]] = {}
    wanted = {*sorts.values(), "looking", "changing"}
    for each in excesses(policies, needed):
        sort = sorts.get(each.action) or sort_of(each.action) if each.decided else "undecided"
        found.setdefault(sort, []).append(each)
        if wanted <= found.keys():
            break
    return found


def note_undecided(lab: Lab, whose: str, found: Mapping[str, Sequence[Excess]]) -> None:
    """Say what could not be decided by reading: it may be more than the lab needs, or not, and costs nothing."""
    for each in itertools.islice(found.get("undecided", ()), _SHOWN):
        lab.note(f"it can't be told by reading on what {whose} may do this: {in_words(each)}")


def sort_of(action: str) -> str:
    """Whether an action (lower case) is "looking" or "changing", by AWS's verbs."""
    return "looking" if action.partition(":")[2].startswith(_LOOKING) else "changing"


def in_words(excess: Excess) -> str:
    """A find for people: action, resource, policy and statement."""
    action, pattern = spelt(excess.action), excess.pattern
    written = f"{pattern} (as {action})" if {"*", "?"} & set(pattern) else action
    return f"{written} on {excess.resource} (policy {excess.policy}, statement {excess.statement})"


def told(finds: Sequence[Excess]) -> str:
    """The first find, and how many actions more there are."""
    more = len({each.action for each in finds}) - 1
    return in_words(finds[0]) + (f", and {more} more" if more else "")


def shown(finds: Iterable[Excess]) -> list[str]:
    """Finds as lines of evidence, as many as are read."""
    return [in_words(each) for each in itertools.islice(finds, _SHOWN)]
