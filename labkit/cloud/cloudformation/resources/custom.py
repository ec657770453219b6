"""Custom resources: a function of the author's own makes, changes and deletes them.

What belongs here: what the function is asked, and how its answer is read. What does not: the URL as it is called
(labkit.cloud.cloudformation.bootstrap).
AWS: CloudFormation user guide, "Custom resources"; template reference, "Custom resource request/response reference".
"""

import json
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from labkit.aws.templates.errors import ResourceFailed
from labkit.aws.templates.template import CUSTOM
from labkit.cloud.cloudformation.resources.base import Context, Handler, Properties

#: the bucket of AWS's own that answers' URLs lead to
BUCKET = "cloudformation-custom-resource-response-"
_LONGEST_ANSWER = 4096
_SECONDS = 3600
_LATE = (
    "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
    "[{id}]. If you are using the Python cfn-response module, you may need to update your Lambda function code so that "
    "CloudFormation can attach the updated version."
)


class CustomResource(Handler):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html."""

    type_name = CUSTOM
    service = "lambda"
    emulated = frozenset({"ServiceToken", "ServiceTimeout"})
    told = True

    def unchangeable(self, changed: set[str]) -> set[str]:
        """None: what a change means is its function's affair."""
        return set()

    def supports(self, attribute: str) -> bool:
        """Whatever its function answers."""
        return True

    def create(self, ctx: Context, new: Properties) -> str:
        """Ask its function to make it; a failure is told by settle, so that the rollback knows the physical id."""
        answer = _ask(ctx, "Create", new)
        return str(answer.get("PhysicalResourceId") or ctx.name(128))

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Raise ResourceFailed where its function said so."""
        _require_success(_last(ctx))

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> str | None:
        """Ask its function to change it; the physical id that it answers."""
        more = {"PhysicalResourceId": physical_id, "OldResourceProperties": _as_text(old)}
        answer = _ask(ctx, "Update", new, more)
        _require_success(answer)
        return str(answer.get("PhysicalResourceId") or physical_id)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Ask its function to delete it."""
        _require_success(_ask(ctx, "Delete", old, {"PhysicalResourceId": physical_id}))
        ctx.signals.forget(_key(ctx))

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """The data of the last answer."""
        data = _last(ctx).get("Data") or {}
        return data if isinstance(data, dict) else {}


def _ask(
    ctx: Context, request: str, properties: Properties, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The function's answer, read. Raises ResourceFailed where none came in time, or one that can't be read."""
    token, request_id = str(properties["ServiceToken"]), str(uuid.uuid4())
    if not token.startswith("arn:aws:lambda:"):
        raise ResourceFailed(
            f"a ServiceToken that is no function's ARN ({token}) is not emulated by the local cloud"
        )
    url = _response_url(ctx, request_id)
    event = {
        "RequestType": request,
        "ServiceToken": token,
        "ResponseURL": url,
        "StackId": ctx.stack_id,
        "RequestId": request_id,
        "LogicalResourceId": ctx.logical_id,
        "ResourceType": ctx.type_name,
        "ResourceProperties": _as_text(properties),
        **(more or {}),
    }
    ctx.signals.expect(url)
    try:
        ctx.client("lambda").invoke(
            FunctionName=token, InvocationType="Event", Payload=json.dumps(event).encode()
        )
        answer = {**_read(_await(ctx, url, request_id, properties)), "RequestId": request_id}
    finally:
        ctx.signals.forget(url)
    ctx.signals.expect(_key(ctx))
    ctx.signals.answer(_key(ctx), json.dumps(answer))
    return answer


def _await(ctx: Context, url: str, request_id: str, properties: Properties) -> str:
    seconds = int(properties.get("ServiceTimeout", _SECONDS))
    deadline = time.monotonic() + seconds

    def answered() -> bool:
        if time.monotonic() > deadline:
            raise ResourceFailed(_LATE.format(id=request_id))
        return ctx.signals.answered(url) is not None

    ctx.until(answered, "an answer", seconds=seconds + 60.0)
    return ctx.signals.answered(url) or ""


def _read(text: str) -> dict[str, Any]:
    if len(text.encode()) > _LONGEST_ANSWER:
        raise ResourceFailed("Response object is too long.")
    try:
        answer = json.loads(text)
    except ValueError:
        raise ResourceFailed("Response is not valid JSON") from None
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise ResourceFailed("Invalid response status")
    return answer


def _require_success(answer: Mapping[str, Any]) -> None:
    if answer["Status"] != "SUCCESS":
        raise ResourceFailed(
            f"Received response status [FAILED] from custom resource. Message returned: {answer.get('Reason', '')} "
            f"(RequestId: {answer['RequestId']})"
        )


def _response_url(ctx: Context, request_id: str) -> str:
    """A URL that nobody can guess, as the door reads it again."""
    host = f"{BUCKET}{ctx.region.replace('-', '')}.s3.{ctx.region}.amazonaws.com"
    name = quote(f"{ctx.stack_id}|{ctx.logical_id}|{request_id}", safe="/")
    return f"https://{host}/{name}?Signature={secrets.token_urlsafe(24)}"


def _key(ctx: Context) -> str:
    return f"{ctx.stack_id}/{ctx.logical_id}/answer"


def _last(ctx: Context) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ctx.signals.answered(_key(ctx)) or "{}")
    return found


def _as_text(value: Any) -> Any:
    """Properties as functions get them: every scalar is a text."""
    if isinstance(value, Mapping):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
