"""Wait conditions and their handles.

What belongs here: the two types. What does not: signals as such (labkit.cloud.cloudformation.signals), the handle's
URL as it is called (labkit.cloud.cloudformation.bootstrap).
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from labkit.cloud.cloudformation.resources.base import Context, Handler, Properties
from labkit.cloud.cloudformation.signals import Expected, await_all

#: the bucket of AWS's own that handles' URLs lead to
BUCKET = "cloudformation-waitcondition-"


class WaitConditionHandle(Handler):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitconditionhandle.html."""

    type_name = "AWS::CloudFormation::WaitConditionHandle"
    service = "cloudformation"
    emulated = frozenset()

    def create(self, ctx: Context, new: Properties) -> str:
        """A URL that nobody can guess; who knows it may signal."""
        host = f"{BUCKET}{ctx.region}.s3.{ctx.region}.amazonaws.com"
        name = f"arn%3Aaws%3Acloudformation%3A{ctx.region}%3A{ctx.account_id}%3Astack/{ctx.stack_name}/{ctx.logical_id}"
        return f"https://{host}/{name}?Signature={secrets.token_urlsafe(24)}"

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Nothing stands behind it."""
        ctx.signals.forget(physical_id)


class WaitCondition(Handler):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html."""

    type_name = "AWS::CloudFormation::WaitCondition"
    service = "cloudformation"
    emulated = frozenset({"Handle", "Timeout", "Count"})
    updatable = frozenset({"Handle", "Timeout", "Count"})
    attribute_names = frozenset({"Data"})

    def create(self, ctx: Context, new: Properties) -> str:
        """A name for it."""
        return ctx.name(128)

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait for the handle's signals; without a handle a CreationPolicy waits."""
        if "Handle" not in new:
            return
        await_all(
            ctx.signals,
            str(new["Handle"]),
            Expected(int(new.get("Count", 1)), float(new["Timeout"])),
            ctx.until,
            told=lambda signal: None,
            late="WaitCondition timed out. Received {received} conditions when expecting {count}",
            failed=lambda signal: (
                f"WaitCondition received failed message: '{signal.reason}' for uniqueId: {signal.unique_id}"
            ),
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Wait again where the handle is another one."""
        if old.get("Handle") != new.get("Handle"):
            self.settle(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Nothing stands behind it."""

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """What the signals told, by unique id, as JSON."""
        told = ctx.signals.of(str(new.get("Handle", "")))
        return {"Data": json.dumps({name: signal.data for name, signal in told.items()})}


HANDLERS: tuple[Handler, ...] = (WaitConditionHandle(), WaitCondition())
