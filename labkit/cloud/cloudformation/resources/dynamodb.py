"""DynamoDB tables.

What belongs here: the table and its settings. What does not: items.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import (
    ApiResource,
    Context,
    Handler,
    Properties,
    Setting,
    same,
    tag_changes,
    tag_list,
)


def _recovery(ctx: Context, table: str, value: Any) -> None:
    wanted = {"PointInTimeRecoveryEnabled": bool((value or {}).get("PointInTimeRecoveryEnabled"))}
    ctx.client("dynamodb").update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)


def _time_to_live(ctx: Context, table: str, value: Any) -> None:
    wanted = {"AttributeName": "expires", **(value or {"Enabled": False})}
    ctx.client("dynamodb").update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)


class Table(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html."""

    type_name = "AWS::DynamoDB::Table"
    service = "dynamodb"
    arguments: ClassVar[Mapping[str, str]] = same(
        *[
            "TableName",
            "AttributeDefinitions",
            "KeySchema",
            "BillingMode",
            "ProvisionedThroughput",
            "TableClass",
        ],
        *["DeletionProtectionEnabled", "LocalSecondaryIndexes", "GlobalSecondaryIndexes"],
    )
    settings: ClassVar[Mapping[str, Setting]] = {
        "PointInTimeRecoverySpecification": _recovery,
        "TimeToLiveSpecification": _time_to_live,
    }
    emulated = frozenset({*arguments, *settings, "SSESpecification", "StreamSpecification", "Tags"})
    updatable = frozenset(
        {*settings, "BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled"}
        | {"SSESpecification", "StreamSpecification", "Tags"}
    )
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "PointInTimeRecoverySpecification": frozenset({"PointInTimeRecoveryEnabled"}),
        "StreamSpecification": frozenset({"StreamViewType"}),
    }
    replaces = frozenset({"KeySchema"})
    name_property = "TableName"
    create_call, identity = "create_table", "TableDescription.TableName"
    delete_call, id_argument = "delete_table", "TableName"
    gone = frozenset({"ResourceNotFoundException"})
    attribute_names = frozenset({"Arn", "StreamArn"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """A table without a name gets one."""
        arguments = {"TableName": ctx.name(255), **super().create_arguments(ctx, new), **_specifications(new)}
        return arguments | ({"Tags": tag_list(new["Tags"])} if new.get("Tags") else {})

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it is active, then make its settings."""
        self._wait(ctx, physical_id)
        super().settle(ctx, physical_id, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """One UpdateTable for what it takes, calls of their own for the rest."""
        changes = _specifications(new, old)
        for name in ("BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled"):
            if old.get(name) != new.get(name) and (name in new or name != "ProvisionedThroughput"):
                changes[name] = new.get(name, _DEFAULTS.get(name))
        if changes:
            self.call(ctx, "update_table", TableName=physical_id, **changes)
            self._wait(ctx, physical_id)
        super().update(ctx, physical_id, old, new)
        self._retag(ctx, physical_id, old, new)

    def _retag(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        changed, removed = tag_changes(old, new)
        if not changed and not removed:
            return
        arn = self._description(ctx, name)["TableArn"]
        if removed:
            self.call(ctx, "untag_resource", ResourceArn=arn, TagKeys=removed)
        if changed:
            self.call(ctx, "tag_resource", ResourceArn=arn, Tags=tag_list(changed))

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete, and wait until DynamoDB knows it no more."""
        super().delete(ctx, physical_id, old)
        ctx.until(lambda: not self._exists(ctx, physical_id), f"table {physical_id} to be deleted")

    def _exists(self, ctx: Context, name: str) -> bool:
        try:
            self._description(ctx, name)
        except ctx.client("dynamodb").exceptions.ResourceNotFoundException:
            return False
        return True

    def _wait(self, ctx: Context, name: str) -> None:
        ctx.until(
            lambda: self._description(ctx, name)["TableStatus"] == "ACTIVE", f"table {name} to be active"
        )

    def _description(self, ctx: Context, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.call(ctx, "describe_table", TableName=name)["Table"]
        return found

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """ARN, and the stream's where there is one."""
        table = self._description(ctx, physical_id)
        return {"Arn": table["TableArn"], "StreamArn": table.get("LatestStreamArn", "")}


_DEFAULTS: Mapping[str, Any] = {
    "BillingMode": "PROVISIONED",
    "TableClass": "STANDARD",
    "DeletionProtectionEnabled": False,
}


def _specifications(new: Properties, old: Properties | None = None) -> dict[str, Any]:
    """Encryption and stream in the API's words, where they differ from `old`."""
    before, changes = old or {}, {}
    if new.get("SSESpecification") != before.get("SSESpecification"):
        wanted = dict(new.get("SSESpecification", {"SSEEnabled": False}))
        changes["SSESpecification"] = {"Enabled": wanted.pop("SSEEnabled"), **wanted}
    if new.get("StreamSpecification") != before.get("StreamSpecification"):
        stream = new.get("StreamSpecification")
        changes["StreamSpecification"] = (
            {"StreamEnabled": True, **stream} if stream else {"StreamEnabled": False}
        )
    return changes


HANDLERS: tuple[Handler, ...] = (Table(),)
