"""One stack of the live cloud: applied, looked at, deleted.

What belongs here: what tests of stacks ask again and again. What does not: their templates, and what is expected.
"""

import contextlib
from typing import Any

from botocore.exceptions import WaiterError

FAST = {"Delay": 0.1, "MaxAttempts": 300}


class Stack:
    """One stack of the live cloud, under a name that nobody else has."""

    def __init__(self, live: Any) -> None:
        self.name, self._api = live.name("stack"), live.cloudformation

    def apply(self, template: str, verb: str = "create") -> dict[str, Any]:
        """Create or update it, and wait until that has ended, however: its description."""
        more = {"StackName": self.name, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        getattr(self._api, f"{verb}_stack")(TemplateBody=template, **more)
        with contextlib.suppress(WaiterError):
            self._api.get_waiter(f"stack_{verb}_complete").wait(StackName=self.name, WaiterConfig=FAST)
        return dict(self._api.describe_stacks(StackName=self.name)["Stacks"][0])

    def failures(self) -> list[str]:
        """Why its resources failed."""
        events = self._api.describe_stack_events(StackName=self.name)["StackEvents"]
        return [each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("FAILED")]

    def delete(self) -> None:
        """Delete it, and wait."""
        self._api.delete_stack(StackName=self.name)
        self._api.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig=FAST)


def outputs(description: dict[str, Any]) -> dict[str, str]:
    """The outputs in a stack's description."""
    return {each["OutputKey"]: each["OutputValue"] for each in description.get("Outputs", [])}
