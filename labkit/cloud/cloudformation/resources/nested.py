"""Nested stacks: stacks that are resources of others.

What belongs here: the type, through CloudFormation's own API. What does not: how any stack is made (operations).
AWS: CloudFormation user guide, "Embed stacks within other stacks using nested stacks".
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from labkit.aws.templates.errors import ResourceFailed
from labkit.cloud.cloudformation.records import STACK_TYPE
from labkit.cloud.cloudformation.resources.base import Context, Handler, Properties, tag_list


class NestedStack(Handler):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html."""

    type_name = STACK_TYPE
    service = "cloudformation"
    emulated = frozenset({"TemplateURL", "Parameters", "Tags"})
    updatable = emulated

    def supports(self, attribute: str) -> bool:
        """Its outputs: Outputs.Name."""
        return attribute.startswith("Outputs.")

    def create(self, ctx: Context, new: Properties) -> str:
        """Create the stack with what was acknowledged for the one around it; its id."""
        answer = ctx.client("cloudformation").create_stack(StackName=ctx.name(128), **_request(ctx, new))
        return str(answer["StackId"])

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it is complete."""
        status = _ended(ctx, physical_id)
        if status != "CREATE_COMPLETE":
            why = _why(ctx, physical_id)
            raise ResourceFailed(f"Embedded stack {physical_id} was not successfully created: {why}")

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> str | None:
        """Update the stack, and wait; nothing to change is no failure."""
        try:
            ctx.client("cloudformation").update_stack(StackName=physical_id, **_request(ctx, new))
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            return None
        status = _ended(ctx, physical_id)
        if status != "UPDATE_COMPLETE":
            why = f"Currently in {status} with reason: {_why(ctx, physical_id)}"
            raise ResourceFailed(f"Embedded stack {physical_id} was not successfully updated. {why}")
        return None

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete the stack, and wait."""
        ctx.client("cloudformation").delete_stack(StackName=physical_id)
        if _ended(ctx, physical_id) != "DELETE_COMPLETE":
            why = _why(ctx, physical_id)
            raise ResourceFailed(f"Embedded stack {physical_id} was not successfully deleted: {why}")

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its outputs."""
        outputs = _described(ctx, physical_id).get("Outputs", [])
        return {f"Outputs.{each['OutputKey']}": each["OutputValue"] for each in outputs}


def _request(ctx: Context, new: Properties) -> dict[str, Any]:
    own = {key: value for key, value in (new.get("Tags") or {}).items() if not key.startswith("aws:")}
    parameters = [
        {
            "ParameterKey": key,
            "ParameterValue": ",".join(map(str, value)) if isinstance(value, list) else str(value),
        }
        for key, value in (new.get("Parameters") or {}).items()
    ]
    tags = {"Tags": tag_list(own)} if own else {}
    return {
        "TemplateURL": new["TemplateURL"],
        "Parameters": parameters,
        "Capabilities": list(ctx.capabilities),
        **tags,
    }


def _described(ctx: Context, stack_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ctx.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0]
    return found


def _ended(ctx: Context, stack_id: str) -> str:
    """The status of the stack once no operation is under way."""
    ctx.until(
        lambda: not _status(ctx, stack_id).endswith("_IN_PROGRESS"), f"{stack_id} to end", seconds=3600.0
    )
    return _status(ctx, stack_id)


def _status(ctx: Context, stack_id: str) -> str:
    return str(_described(ctx, stack_id)["StackStatus"])


def _why(ctx: Context, stack_id: str) -> str:
    """What the stack itself said first of its failing."""
    events = ctx.client("cloudformation").describe_stack_events(StackName=stack_id)["StackEvents"]
    own = [each.get("ResourceStatusReason", "") for each in events if each["PhysicalResourceId"] == stack_id]
    told = next((reason for reason in own if "resource(s) failed" in reason), "")
    return told.partition(". ")[0] + "." if told else "its own events say why"
