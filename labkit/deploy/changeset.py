"""A change set: asked for, read, and deleted again, to know what an update would do.

What belongs here: CloudFormation's change sets as changes. What does not: carrying one out.

AWS: CloudFormation user guide, "Update CloudFormation stacks using change sets".
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.base.errors import DeployError
from labkit.deploy.model import Action, Change
from labkit.deploy.targets import Clients

NAME = "lab-plan"
_ACTIONS: Mapping[str, Action] = {"Add": "create", "Modify": "update", "Remove": "delete", "Import": "create"}
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def error_text(error: Exception) -> tuple[str, str]:
    """Code and message of an AWS error answer; ("", text) for anything else."""
    answer = getattr(error, "response", {}).get("Error", {})
    return str(answer.get("Code", "")), str(answer.get("Message", error))


def was_lost(error: Exception, said: str) -> bool:
    """Whether `said` is about our own first try, whose answer was lost: botocore asked again, and AWS had done it."""
    tries = getattr(error, "response", {}).get("ResponseMetadata", {}).get("RetryAttempts", 0)
    return bool(tries) and said in ": ".join(error_text(error))


@dataclass(frozen=True)
class ChangeSet:
    """The one change set that the kit uses on the stack `stack`."""

    clients: Clients
    stack: str

    @property
    def _api(self) -> Any:
        return self.clients.client("cloudformation")

    def changes(self, arguments: Mapping[str, Any], *, exists: bool) -> tuple[Change, ...]:
        """What CreateStack or UpdateStack with these arguments would do. Raises DeployError when refused."""
        with self._made(arguments, "UPDATE" if exists else "CREATE") as described:
            return tuple(_change(entry["ResourceChange"]) for entry in described)

    @contextlib.contextmanager
    def _made(self, arguments: Mapping[str, Any], kind: str) -> Iterator[list[Mapping[str, Any]]]:
        from botocore.exceptions import ClientError

        if kind == "UPDATE":  # one may be left of a run that was killed
            self._api.delete_change_set(StackName=self.stack, ChangeSetName=NAME)
        try:
            self._api.create_change_set(ChangeSetName=NAME, ChangeSetType=kind, **arguments)
        except ClientError as error:
            code, message = error_text(error)
            if not was_lost(error, "AlreadyExistsException"):
                raise DeployError(
                    f"CloudFormation refused the template ({code}): {message}",
                    hint="Mend cloudformation-template.yaml where the message says, then plan again.",
                ) from error
        try:
            yield self._settled()
        finally:
            self._remove(kind)

    def _settled(self) -> list[Mapping[str, Any]]:
        pause = 0.02 if self.clients.target.is_local else 2.0
        while True:
            answer = self._api.describe_change_set(StackName=self.stack, ChangeSetName=NAME)
            if not answer["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                break
            time.sleep(pause)  # the API has no way to wait: it is asked again
        if answer["Status"] == "FAILED":
            reason = str(answer.get("StatusReason", ""))
            if any(words in reason for words in _NO_CHANGES):
                return []
            raise DeployError(f"CloudFormation could not make a plan: {reason}", hint="Mend the template.")
        return [*answer["Changes"], *self._further(answer.get("NextToken"))]

    def _further(self, token: str | None) -> Iterator[Mapping[str, Any]]:
        while token:
            answer = self._api.describe_change_set(StackName=self.stack, ChangeSetName=NAME, NextToken=token)
            yield from answer["Changes"]
            token = answer.get("NextToken")

    def _remove(self, kind: str) -> None:
        """A change set of type CREATE made an empty stack, in review, which goes with it."""
        self._api.delete_change_set(StackName=self.stack, ChangeSetName=NAME)
        if kind == "CREATE":
            self._api.delete_stack(StackName=self.stack)


def _change(entry: Mapping[str, Any]) -> Change:
    action = _ACTIONS.get(entry["Action"], "update")
    if action == "update" and entry.get("Replacement") in ("True", "Conditional"):
        action = "replace"
    because = {
        detail["Target"].get("Name") or detail["Target"]["Attribute"]
        for detail in entry.get("Details", [])
        if action != "replace" or detail["Target"].get("RequiresRecreation") != "Never"
    }
    return Change(entry["LogicalResourceId"], entry["ResourceType"], action, tuple(sorted(because)))
