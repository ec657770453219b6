"""Lambda functions, versions, aliases and permissions.

What belongs here: Lambda's types, and how inline code becomes a zip. What does not: running code.
"""

import inspect
import io
import zipfile
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.aws.templates.errors import ResourceFailed
from labkit.cloud.cloudformation import cfnresponse
from labkit.cloud.cloudformation.resources.base import (
    ApiResource,
    Context,
    Handler,
    Properties,
    same,
    tag_changes,
)

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_CODE = frozenset({"ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion"})
_INLINE_LIMIT = 4 << 20
#: what UpdateFunctionConfiguration takes, with the value that a missing property means
_CONFIGURATION: Mapping[str, Any] = {
    "Description": "",
    "Handler": None,
    "Runtime": None,
    "Role": None,
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "Layers": [],
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
}


class Function(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html."""

    type_name = "AWS::Lambda::Function"
    service = "lambda"
    arguments: ClassVar[Mapping[str, str]] = same(
        *_CONFIGURATION, "FunctionName", "Architectures", "PackageType"
    )
    emulated = frozenset({*arguments, "Code", "ReservedConcurrentExecutions", "Tags"})
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "Code": _CODE,
        "VpcConfig": frozenset({"SubnetIds", "SecurityGroupIds"}),
    }
    updatable = frozenset({*_CONFIGURATION, "Architectures", "Code", "ReservedConcurrentExecutions", "Tags"})
    name_property = "FunctionName"
    create_call, identity = "create_function", "FunctionName"
    delete_call, id_argument = "delete_function", "FunctionName"
    gone = frozenset({"ResourceNotFoundException"})
    attribute_names = frozenset({"Arn"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """A function without a name gets one; inline code goes as a zip."""
        arguments = {"FunctionName": ctx.name(64), **super().create_arguments(ctx, new), "Code": code(new)}
        return arguments | ({"Tags": dict(new["Tags"])} if new.get("Tags") else {})

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it is active; reserve concurrency."""
        self._wait(ctx, physical_id)
        if "ReservedConcurrentExecutions" in new:
            self._reserve(ctx, physical_id, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Code, configuration, concurrency and tags, each where it changed."""
        if any(old.get(name) != new.get(name) for name in ("Code", "Architectures")):
            architectures = same_if(new, "Architectures")
            self.call(ctx, "update_function_code", FunctionName=physical_id, **code(new), **architectures)
            self._wait(ctx, physical_id)
        changes = {
            name: new.get(name, default)
            for name, default in _CONFIGURATION.items()
            if old.get(name) != new.get(name)
        }
        if changes:
            self.call(ctx, "update_function_configuration", FunctionName=physical_id, **changes)
            self._wait(ctx, physical_id)
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            self._reserve(ctx, physical_id, new)
        self._retag(ctx, physical_id, old, new)

    def _retag(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        changed, removed = tag_changes(old, new)
        if not changed and not removed:
            return
        arn = self._configuration(ctx, name)["FunctionArn"]
        if removed:
            self.call(ctx, "untag_resource", Resource=arn, TagKeys=removed)
        if changed:
            self.call(ctx, "tag_resource", Resource=arn, Tags=changed)

    def _reserve(self, ctx: Context, name: str, new: Properties) -> None:
        if "ReservedConcurrentExecutions" in new:
            wanted = new["ReservedConcurrentExecutions"]
            self.call(ctx, "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=wanted)
        else:
            self.call(ctx, "delete_function_concurrency", FunctionName=name)

    def _wait(self, ctx: Context, name: str) -> None:
        ctx.until(lambda: self._ready(ctx, name), f"function {name} to be active")

    def _ready(self, ctx: Context, name: str) -> bool:
        found = self._configuration(ctx, name)
        if "Failed" in (found.get("State"), found.get("LastUpdateStatus")):
            raise ResourceFailed(found.get("StateReason") or found.get("LastUpdateStatusReason") or "Failed")
        return found.get("State") == "Active" and found.get("LastUpdateStatus") != "InProgress"

    def _configuration(self, ctx: Context, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.call(ctx, "get_function_configuration", FunctionName=name)
        return found

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its ARN."""
        return {"Arn": self._configuration(ctx, physical_id)["FunctionArn"]}


def same_if(properties: Properties, *names: str) -> dict[str, Any]:
    """The named properties that are there."""
    return {name: properties[name] for name in names if name in properties}


def code(new: Properties) -> dict[str, Any]:
    """The property Code as Lambda takes it: inline text becomes a zip with a file `index`, and cfnresponse where it is used.

    The same text gives the same bytes, so CodeSha256 tells whether code changed.
    """
    source = dict(new["Code"])
    text = source.pop("ZipFile", None)
    if text is None:
        return source
    runtime = str(new.get("Runtime", ""))
    ending = {"python": "py", "nodejs": "js"}.get(runtime.rstrip(".x0123456789"))
    if ending is None:
        raise ResourceFailed(f"ZipFile can only be used with python and nodejs runtimes, not with {runtime}")
    if len(text.encode()) > _INLINE_LIMIT:
        raise ResourceFailed("ZipFile is larger than 4 MB")
    files = {f"index.{ending}": text}
    if ending == "py" and "cfnresponse" in text:
        files["cfnresponse.py"] = inspect.getsource(cfnresponse)
    return {"ZipFile": _zipped(files)}


def _zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, date_time=_FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


class Version(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html."""

    type_name = "AWS::Lambda::Version"
    service = "lambda"
    create_call, identity = "publish_version", "FunctionArn"
    arguments: ClassVar[Mapping[str, str]] = same("FunctionName", "Description", "CodeSha256")
    gone = frozenset({"ResourceNotFoundException"})
    attribute_names = frozenset({"Version", "FunctionArn"})

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete the version; the function stays."""
        function, _, version = physical_id.rpartition(":")
        self.call(ctx, "delete_function", FunctionName=function, Qualifier=version)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its number and ARN."""
        return {"Version": physical_id.rpartition(":")[2], "FunctionArn": physical_id}


class Alias(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html."""

    type_name = "AWS::Lambda::Alias"
    service = "lambda"
    create_call, identity = "create_alias", "AliasArn"
    arguments: ClassVar[Mapping[str, str]] = same("FunctionName", "FunctionVersion", "Name", "Description")
    updatable = frozenset({"FunctionVersion", "Description"})
    gone = frozenset({"ResourceNotFoundException"})
    id_attribute = "AliasArn"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Lead to another version."""
        self.call(ctx, "update_alias", **{"Description": "", **self.create_arguments(ctx, new)})

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete the alias; function and version stay."""
        self.call(ctx, "delete_alias", FunctionName=old["FunctionName"], Name=old["Name"])


class EventInvokeConfig(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html."""

    type_name = "AWS::Lambda::EventInvokeConfig"
    service = "lambda"
    create_call = "put_function_event_invoke_config"
    arguments: ClassVar[Mapping[str, str]] = same(
        "FunctionName", "Qualifier", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"
    )
    updatable = frozenset({"MaximumEventAgeInSeconds", "MaximumRetryAttempts"})
    gone = frozenset({"ResourceNotFoundException"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it; the physical id is `<function>|<qualifier>`."""
        self.call(ctx, self.create_call, **self.create_arguments(ctx, new))
        return f"{new['FunctionName']}|{new['Qualifier']}"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it again: what is left out is as if it had never been said."""
        self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Back to AWS's own numbers."""
        where = same_if(old, "FunctionName", "Qualifier")
        self.call(ctx, "delete_function_event_invoke_config", **where)


class Permission(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html."""

    type_name = "AWS::Lambda::Permission"
    service = "lambda"
    arguments: ClassVar[Mapping[str, str]] = same(
        *["Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "Principal", "PrincipalOrgID"],
        "SourceAccount",
        "SourceArn",
    )
    gone = frozenset({"ResourceNotFoundException"})
    id_attribute = "Id"

    def create(self, ctx: Context, new: Properties) -> str:
        """Add a statement; its id is the physical id."""
        statement = ctx.name(100)
        self.call(ctx, "add_permission", StatementId=statement, **self.create_arguments(ctx, new))
        return statement

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Remove the statement."""
        self.call(ctx, "remove_permission", FunctionName=old["FunctionName"], StatementId=physical_id)


HANDLERS: tuple[Handler, ...] = (Function(), Version(), Alias(), EventInvokeConfig(), Permission())
