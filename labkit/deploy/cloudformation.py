"""The CloudFormation engine: create, change and delete one stack, and follow its events.

What belongs here: what CloudFormation's API is asked, for the local cloud and AWS alike. What does not:
how the template came to be (labkit.course.build), or how events are shown.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event, ignore
from labkit.deploy import credentials, own_lines
from labkit.deploy.changeset import ChangeSet, error_text, was_lost
from labkit.deploy.model import Deployment, Finding, Plan, Source
from labkit.deploy.targets import Clients
from labkit.deploy.troubles import known

NAME = "cloudformation"
FOLDER, TEMPLATE = "build", "cloudformation-template.yaml"
#: created and never usable: CloudFormation only lets such a stack be deleted
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"}
HEALTHY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


def parameter_name(choice: str) -> str:
    """A choice's name as a parameter of the template: lab_role is LabRole."""
    return "".join(part.capitalize() for part in choice.split("_"))


@dataclass(frozen=True)
class CloudFormation:
    """One stack at one target: named after the source, from the template in its build/."""

    clients: Clients
    source: Source
    emit: Emit

    @property
    def engine(self) -> str:
        """The engine's name."""
        return NAME

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.source.name

    @property
    def _api(self) -> Any:
        return self.clients.client("cloudformation")

    def describe(self, name: str = "") -> Mapping[str, Any] | None:
        """The stack (by name, or by id once it is deleted) as DescribeStacks shows it, or None."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return dict(self._api.describe_stacks(StackName=name or self.name)["Stacks"][0])
        except (BotoCoreError, ClientError) as error:
            if "does not exist" in error_text(error)[1]:
                return None
            raise self._refused("describe", error) from error

    def current(self) -> Deployment:
        """What stands now, without changing anything."""
        stack = self.describe()
        if stack is None:
            return Deployment(NAME, self.name, "absent", changed=False)
        return Deployment(
            NAME,
            self.name,
            "complete" if stack["StackStatus"] in HEALTHY else "failed",
            outputs={o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
            changed=False,
            reason=str(stack.get("StackStatusReason", "")),
        )

    def validate(self) -> tuple[Finding, ...]:
        """What CloudFormation finds wrong in the template before anything exists.

        AWS: ValidateTemplate, which checks the template's form; properties are checked by a change set.
        """
        from botocore.exceptions import ClientError

        self._start("validate")
        try:
            self._api.validate_template(TemplateBody=self._template())
        except ClientError as error:
            return (Finding(self._in_own_lines(error_text(error)[1]), TEMPLATE),)
        return ()

    def plan(self) -> Plan:
        """What apply would do now: a change set, made, read and deleted again. Raises DeployError."""
        self._start("plan")
        stack = self._settled()
        if stack is not None and stack["StackStatus"] in DEAD:
            self._delete()
            stack = None
        try:
            changes = ChangeSet(self.clients, self.name).changes(self._arguments(), exists=stack is not None)
        except DeployError as error:
            raise DeployError(self._in_own_lines(error.message), hint=error.hint) from error
        return Plan(NAME, changes)

    def apply(self) -> Deployment:
        """Create the stack or change it to the template; "nothing to change" is success.

        A stack whose creation failed is deleted first. Emits a "resource" event for each stack event.
        Raises DeployError with the first resource that failed and its reason.
        """
        self._start("apply")
        stack = self._settled()
        if stack is not None and stack["StackStatus"] in DEAD:
            self.emit(Event("note", f"The stack {self.name} of a failed creation is deleted first."))
            self._delete()
            stack = None
        before = self._event_ids() if stack else frozenset()
        if not self._request(exists=stack is not None):
            return self.current()
        stack = self._follow(before)
        if stack is None or stack["StackStatus"] not in HEALTHY:
            raise self._failed(stack, before)
        return dataclasses.replace(self.current(), changed=True)

    def destroy(self) -> None:
        """Delete the stack and wait until it is gone; a stack that does not exist is success.

        Raises DeployError with the resource that could not be deleted.
        """
        self._start("destroy")
        if self._settled() is not None:
            self._delete()

    def buckets(self) -> tuple[str, ...]:
        """The stack's buckets; none without a stack."""
        from botocore.exceptions import ClientError

        pages = self._api.get_paginator("list_stack_resources").paginate(StackName=self.name)
        try:
            found = [each for page in pages for each in page["StackResourceSummaries"]]
        except ClientError as error:
            if "does not exist" in error_text(error)[1]:
                return ()
            raise self._refused("describe", error) from error
        stands = (each for each in found if each["ResourceStatus"] != "DELETE_COMPLETE")
        return tuple(
            each["PhysicalResourceId"]
            for each in stands
            if each["ResourceType"] == "AWS::S3::Bucket" and each.get("PhysicalResourceId")
        )

    def _start(self, what: str) -> None:
        """Refuse to begin what can't end well."""
        credentials.require(self.clients, what, self.emit)

    # -- one request, then its events --------------------------------------------------------------

    def _in_own_lines(self, message: str) -> str:
        """What AWS says of the template that was built, with the lines of the one it was built from."""
        own, built = self.source.folder / TEMPLATE, self.source.folder / FOLDER / TEMPLATE
        if not (own.is_file() and built.is_file()):
            return message
        return own_lines.told(message, built.read_text("utf-8", "replace"), own.read_text("utf-8", "replace"))

    def _template(self) -> str:
        path = self.source.folder / FOLDER / TEMPLATE
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise DeployError(
                f"{path} can't be read: {error.strerror}.", hint="Run the step again: it builds the file."
            ) from error

    def _arguments(self) -> dict[str, Any]:
        """What creating, changing and planning have in common."""
        return {
            "StackName": self.name,
            "TemplateBody": self._template(),
            "Capabilities": CAPABILITIES,
            "Parameters": [
                {"ParameterKey": parameter_name(k), "ParameterValue": v}
                for k, v in self.source.choices.items()
            ],
            "Tags": [{"Key": k, "Value": v} for k, v in self.source.tags.items()],
        }

    def _request(self, *, exists: bool) -> bool:
        """Ask for the change; False when there is nothing to change."""
        from botocore.exceptions import ClientError

        call = self._api.update_stack if exists else self._api.create_stack
        try:
            call(**self._arguments())
        except ClientError as error:
            if "No updates are to be performed" in error_text(error)[1]:
                return False
            if was_lost(error, "_IN_PROGRESS state" if exists else "AlreadyExistsException"):
                return True
            raise self._refused("update" if exists else "create", error) from error
        return True

    def _delete(self) -> None:
        stack = self.describe()
        if stack is None:
            return
        name = stack["StackId"]  # a deleted stack is found by its id only
        before = self._event_ids()
        self._api.delete_stack(StackName=self.name)
        last = self._follow(before, name=name)
        if last is not None and last["StackStatus"] != "DELETE_COMPLETE":
            raise self._failed(last, before)

    def _settled(self) -> Mapping[str, Any] | None:
        """The stack once nothing is in progress: a run that was killed left its work to AWS."""
        stack = self.describe()
        if stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        self.emit(Event("note", f"The stack {self.name} is still busy from before; waiting for it."))
        self._follow(self._event_ids())
        return self.describe()

    def _event_ids(self) -> frozenset[str]:
        return frozenset(e["EventId"] for e in self._events())

    def _follow(self, before: frozenset[str], name: str = "") -> Mapping[str, Any] | None:
        """Emit events as they come until the stack is at rest; returns it (None: gone)."""
        seen = set(before)
        pause = 0.05 if self.clients.target.is_local else 3.0
        while True:
            stack = self.describe(name)
            if (
                self.emit is not ignore
            ):  # reading a stack's events costs more than all the rest of following it
                for event in self._news(seen, name):
                    self._tell(event)
            if stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(pause)  # the API has no way to wait: it is asked again

    def _events(self, name: str = "") -> list[dict[str, Any]]:
        """All events of the stack, oldest first."""
        from botocore.exceptions import ClientError

        try:
            pages = self._api.get_paginator("describe_stack_events").paginate(StackName=name or self.name)
            return [event for page in pages for event in page["StackEvents"]][::-1]
        except ClientError as error:
            if "does not exist" in error_text(error)[1]:
                return []
            raise self._refused("describe", error) from error

    def _news(self, seen: set[str], name: str) -> Iterator[dict[str, Any]]:
        for event in self._events(name):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                yield event

    def _tell(self, event: Mapping[str, Any]) -> None:
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        text = f"{event['LogicalResourceId']} ({event['ResourceType']}) {status}"
        self.emit(
            Event(
                "resource",
                text + (f": {reason}" if reason and "FAILED" in status else ""),
                {
                    "id": event["LogicalResourceId"],
                    "type": event["ResourceType"],
                    "status": status,
                    "reason": reason,
                },
            )
        )

    # -- what went wrong -----------------------------------------------------------------------------

    def _failed(self, stack: Mapping[str, Any] | None, before: frozenset[str]) -> DeployError:
        """The first failed resource explains the rest: later ones were only cancelled."""
        status = stack["StackStatus"] if stack else "gone"
        failed = [
            e
            for e in self._events(stack["StackId"] if stack else "")
            if e["EventId"] not in before
            and e["ResourceStatus"].endswith("_FAILED")
            and e["LogicalResourceId"] != self.name
        ]
        if not failed:
            return DeployError(f"The stack {self.name} ended as {status}.", hint="Run the step again.")
        first = failed[0]
        reason = str(first.get("ResourceStatusReason", "no reason given"))
        told = known(reason)
        return DeployError(
            f"The stack {self.name} ended as {status}. First failure: {first['LogicalResourceId']} "
            f"({first['ResourceType']}): {reason}",
            hint=told.hint
            if told
            else f"Mend {first['LogicalResourceId']} in cloudformation-template.yaml, then deploy again.",
        )

    def _refused(self, what: str, error: Exception) -> DeployError:
        code, message = error_text(error)
        told = known(f"{code}: {message}" if code else message)
        if told is not None:
            return told
        return DeployError(
            f"CloudFormation refused to {what} the stack {self.name} ({code}): {self._in_own_lines(message)}",
            hint=f"Mend {TEMPLATE} where the message says, then run the step again.",
        )
