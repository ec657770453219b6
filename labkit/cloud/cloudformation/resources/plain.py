"""Log groups with their streams and filters, and Systems Manager's parameters and documents.

What belongs here: small types of services that have no module of their own.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.aws.templates.errors import ResourceFailed
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


def _retention(ctx: Context, name: str, value: Any) -> None:
    logs = ctx.client("logs")
    if value is None:
        logs.delete_retention_policy(logGroupName=name)
    else:
        logs.put_retention_policy(logGroupName=name, retentionInDays=value)


class LogGroup(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html."""

    type_name = "AWS::Logs::LogGroup"
    service = "logs"
    settings: ClassVar[Mapping[str, Setting]] = {"RetentionInDays": _retention}
    emulated = frozenset({"LogGroupName", "RetentionInDays", "Tags"})
    updatable = frozenset({"RetentionInDays", "Tags"})
    name_property = "LogGroupName"
    delete_call, id_argument = "delete_log_group", "logGroupName"
    gone = frozenset({"ResourceNotFoundException"})
    attribute_names = frozenset({"Arn"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create it; a group without a name gets one."""
        name = str(new.get("LogGroupName") or ctx.name(512))
        tags = {"tags": dict(new["Tags"])} if new.get("Tags") else {}
        self.call(ctx, "create_log_group", logGroupName=name, **tags)
        return name

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change retention and tags."""
        super().update(ctx, physical_id, old, new)
        changed, removed = tag_changes(old, new)
        arn = self._arn(ctx, physical_id)
        if removed:
            self.call(ctx, "untag_resource", resourceArn=arn, tagKeys=removed)
        if changed:
            self.call(ctx, "tag_resource", resourceArn=arn, tags=changed)

    def _arn(self, ctx: Context, name: str) -> str:
        return f"arn:aws:logs:{ctx.region}:{ctx.account_id}:log-group:{name}"

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its ARN, with the colon and star that CloudFormation gives."""
        return {"Arn": f"{self._arn(ctx, physical_id)}:*"}


class LogStream(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-logstream.html."""

    type_name = "AWS::Logs::LogStream"
    service = "logs"
    emulated = frozenset({"LogGroupName", "LogStreamName"})
    name_property = "LogStreamName"
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create it; a stream without a name gets one."""
        name = str(new.get("LogStreamName") or ctx.name(512))
        self.call(ctx, "create_log_stream", logGroupName=new["LogGroupName"], logStreamName=name)
        return name

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete it from its group."""
        self.call(ctx, "delete_log_stream", logGroupName=old["LogGroupName"], logStreamName=physical_id)


class _LogFilter(ApiResource):
    """A filter of a log group, which is put again when it changes."""

    service = "logs"
    name_property = "FilterName"
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it; a filter without a name gets one."""
        name = str(new.get("FilterName") or ctx.name(512))
        self._put(ctx, name, new)
        return name

    def _put(self, ctx: Context, name: str, new: Properties) -> None:
        self.call(ctx, self.create_call, **{**self.create_arguments(ctx, new), "filterName": name})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it again."""
        self._put(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take it from its group."""
        self.call(ctx, self.delete_call, logGroupName=old["LogGroupName"], filterName=physical_id)


class MetricFilter(_LogFilter):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-metricfilter.html."""

    type_name = "AWS::Logs::MetricFilter"
    create_call, delete_call = "put_metric_filter", "delete_metric_filter"
    arguments: ClassVar[Mapping[str, str]] = {
        "LogGroupName": "logGroupName",
        "FilterName": "filterName",
        "FilterPattern": "filterPattern",
        "MetricTransformations": "metricTransformations",
    }
    updatable = frozenset({"FilterPattern", "MetricTransformations"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The members of a transformation begin with small letters; dimensions are one mapping."""
        changed = [_transformation(each) for each in new["MetricTransformations"]]
        return {**super().create_arguments(ctx, new), "metricTransformations": changed}


def _transformation(given: Mapping[str, Any]) -> dict[str, Any]:
    told = {f"{name[0].lower()}{name[1:]}": value for name, value in given.items()}
    if "dimensions" in told:
        told["dimensions"] = {each["Key"]: each["Value"] for each in told["dimensions"]}
    return told


class SubscriptionFilter(_LogFilter):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-subscriptionfilter.html."""

    type_name = "AWS::Logs::SubscriptionFilter"
    create_call, delete_call = "put_subscription_filter", "delete_subscription_filter"
    arguments: ClassVar[Mapping[str, str]] = {
        "LogGroupName": "logGroupName",
        "FilterName": "filterName",
        "FilterPattern": "filterPattern",
        "DestinationArn": "destinationArn",
        "RoleArn": "roleArn",
        "Distribution": "distribution",
    }
    updatable = frozenset({"FilterPattern", "DestinationArn", "RoleArn", "Distribution"})


class SsmParameter(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html."""

    type_name = "AWS::SSM::Parameter"
    service = "ssm"
    arguments: ClassVar[Mapping[str, str]] = same(
        "Name", "Type", "Value", "Description", "AllowedPattern", "DataType", "Tier"
    )
    emulated = frozenset({*arguments, "Tags"})
    updatable = frozenset({"Type", "Value", "Description", "AllowedPattern", "Tier", "Tags"})
    replaces = frozenset({"DataType"})
    name_property = "Name"
    delete_call, id_argument = "delete_parameter", "Name"
    gone = frozenset({"ParameterNotFound"})
    attribute_names = frozenset({"Type", "Value"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it; a parameter without a name gets one."""
        arguments = {"Name": ctx.name(512), **self.create_arguments(ctx, new)}
        tags = {"Tags": tag_list(new["Tags"])} if new.get("Tags") else {}
        self.call(ctx, "put_parameter", **arguments, **tags)
        return str(arguments["Name"])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it again; change its tags."""
        arguments = {"Description": "", **self.create_arguments(ctx, new), "Name": physical_id}
        self.call(ctx, "put_parameter", **arguments, Overwrite=True)
        _retag(ctx, "Parameter", physical_id, old, new)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its type and value, as declared."""
        return {"Type": new["Type"], "Value": new["Value"]}


class SsmDocument(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-document.html."""

    type_name = "AWS::SSM::Document"
    service = "ssm"
    emulated = frozenset(
        {
            "Content",
            "DocumentFormat",
            "DocumentType",
            "Name",
            "Tags",
            "TargetType",
            "UpdateMethod",
            "VersionName",
        }
    )
    updatable = frozenset({"UpdateMethod", "Tags"})
    #: changed by a new version where UpdateMethod is NewVersion, else only by another document
    versioned = frozenset({"Content", "DocumentFormat", "TargetType", "VersionName"})
    name_property = "Name"
    delete_call, id_argument = "delete_document", "Name"
    gone = frozenset({"InvalidDocument"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create it; a document without a name gets one."""
        name = str(new.get("Name") or ctx.name(128))
        kind = {"DocumentType": new["DocumentType"]} if "DocumentType" in new else {}
        tags = {"Tags": tag_list(new["Tags"])} if new.get("Tags") else {}
        self.call(ctx, "create_document", **{**self._said(new), **kind, **tags, "Name": name})
        return name

    def _said(self, new: Properties) -> dict[str, Any]:
        told = {name: new[name] for name in sorted(self.versioned & {*new})}
        content = new["Content"]
        return {**told, "Content": content if isinstance(content, str) else json.dumps(content)}

    def unchangeable(self, changed: set[str]) -> set[str]:
        """None of what a new version can say."""
        return changed - self.updatable - self.versioned

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """A new version, which is the default one then; its tags."""
        if self._said(old) != self._said(new):
            if new.get("UpdateMethod") != "NewVersion":
                raise ResourceFailed(
                    "a changed document without UpdateMethod: NewVersion is not emulated by the local cloud"
                )
            made = self.call(
                ctx, "update_document", **self._said(new), Name=physical_id, DocumentVersion="$LATEST"
            )
            version = made["DocumentDescription"]["DocumentVersion"]
            self.call(ctx, "update_document_default_version", Name=physical_id, DocumentVersion=version)
        _retag(ctx, "Document", physical_id, old, new)


def _retag(ctx: Context, kind: str, name: str, old: Properties, new: Properties) -> None:
    changed, removed = tag_changes(old, new)
    where = {"ResourceType": kind, "ResourceId": name}
    if removed:
        ctx.client("ssm").remove_tags_from_resource(**where, TagKeys=removed)
    if changed:
        ctx.client("ssm").add_tags_to_resource(**where, Tags=tag_list(changed))


HANDLERS: tuple[Handler, ...] = (
    LogGroup(),
    LogStream(),
    MetricFilter(),
    SubscriptionFilter(),
    SsmParameter(),
    SsmDocument(),
)
