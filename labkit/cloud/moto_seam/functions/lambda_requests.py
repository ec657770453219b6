"""What Lambda looks at in a request before it does anything: whose function it names, which revision, which state.

What belongs here: these checks, in AWS's words, for every operation that names a function. What does not: the function's
settings (lambda_checks) and keeping it (lambda_functions).

AWS: Lambda API reference, "Common errors", CreateFunction, DeleteFunction, AddPermission; developer guide, "Lambda function
states".
"""

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam.errors import lambda_error
from labkit.cloud.moto_seam.functions.lambda_records import revision_of
from labkit.cloud.moto_seam.identity.trust_policies import is_principal, is_service
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.pace import Pace

#: operations that name a function in their path
_NAMING = (
    "add_permission", "get_policy", "remove_permission", "invoke", "list_versions_by_function", "delete_function", "get_function",
    "get_function_configuration", "publish_version", "update_function_configuration", "update_function_code", "create_alias",
    "delete_alias", "get_alias", "update_alias", "list_aliases", "put_function_concurrency", "get_function_concurrency",
    "delete_function_concurrency", "put_function_event_invoke_config", "get_function_event_invoke_config",
)  # fmt: skip
#: those that must name the newest revision, if they name one
_REVISED = ("update_function_configuration", "update_function_code", "publish_version")
#: those that a function must be ready for
_READY = ("invoke", "update_function_configuration", "update_function_code", "publish_version")
_NAME = re.compile(r"/functions/([^/?]+)")
_STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
    "latest Revision Id"
)


def correct_requests(replacements: Replacements, pace: Pace) -> None:
    """Check what every request says of a function; a new one is Pending for a while."""
    from moto.awslambda.responses import LambdaResponse

    for name in _NAMING:
        _checked(replacements, LambdaResponse, name, pace)
    replacements.around(LambdaResponse, "create_function")(_create)


def pending(function: Any, pace: Pace) -> bool:
    """Whether a function has just been made."""
    found = 0 <= time.time() - getattr(function, "made_at", 0.0) < pace.pending
    if found:
        pace.counts.add("function pending")
    return found


def _checked(replacements: Replacements, owner: Any, name: str, pace: Pace) -> None:
    @replacements.around(owner, name)
    def checked(original: Any, self: Any) -> Any:
        found = _NAME.search(self.path)
        function = unquote(found[1]) if found else ""
        _check_arn(function, self.region)
        if name in _READY and pace.pending:
            _check_state(self.backend.get_function(function, None), pace)
        if name in _REVISED:
            _check_revision(self.backend.get_function(function, None), _body(self))
        if name in _MORE:
            _MORE[name](self, function)
        return original(self)


def _check_arn(name: str, region: str) -> None:
    """A function of another region or account can't be reached here."""
    if not name.startswith("arn:"):
        return
    parts = name.split(":")
    if len(parts) > 3 and parts[3] != region:
        words = f"Functions from '{parts[3]}' are not reachable in this region ('{region}')"
        raise lambda_error("ResourceNotFoundException", words, 404)
    if len(parts) > 4 and parts[4] != ACCOUNT_ID:
        words = f"User: arn:aws:iam::{ACCOUNT_ID}:root is not authorized to perform this on resource: {name}"
        raise lambda_error("AccessDeniedException", words, 403)


def _check_state(function: Any, pace: Pace) -> None:
    if pending(function, pace):
        words = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        raise lambda_error("ResourceConflictException", words, 409)


def _check_revision(function: Any, body: Mapping[str, Any]) -> None:
    if body.get("RevisionId") and body["RevisionId"] != revision_of(function):
        raise lambda_error("PreconditionFailedException", _STALE, 412)


def _check_alias(self: Any, function: str) -> None:
    name = unquote(self.path.rsplit("/", 1)[-1].partition("?")[0])
    alias = self.backend.get_alias(name, function)
    if _body(self).get("RevisionId") not in (None, alias.revision_id):
        raise lambda_error("PreconditionFailedException", _STALE, 412)


def _check_deletion(self: Any, function: str) -> None:
    """$LATEST goes with its function; a version that an alias names stays."""
    qualifier = self._get_param("Qualifier", None)
    if qualifier == "$LATEST":
        words = "$LATEST version cannot be deleted without deleting the function."
        raise lambda_error("InvalidParameterValueException", words)
    if qualifier:
        kept = self.backend.get_function(function, qualifier)
        users = [
            a.name
            for a in self.backend.list_aliases(kept.function_name)
            if str(a.function_version) == str(qualifier)
        ]
        if users:
            words = f"Version {qualifier} is currently referenced by alias(es): {', '.join(users)}"
            raise lambda_error("ResourceConflictException", words, 409)


def _check_permission(self: Any, function: str) -> None:
    body = _body(self)
    given = self.backend.get_function(function, self.querystring.get("Qualifier", [None])[0])
    if any(statement.get("Sid") == body.get("StatementId") for statement in given.policy.statements):
        words = (
            f"The statement id ({body.get('StatementId')}) provided already exists. Please provide a new statement id, or "
            "remove the existing statement."
        )
        raise lambda_error("ResourceConflictException", words, 409)
    principal = str(body.get("Principal", ""))
    if not (is_service(principal) or is_principal(principal)):
        words = "The provided principal was invalid. Please check the principal and try again."
        raise lambda_error("InvalidParameterValueException", words)


_MORE = {
    "update_alias": _check_alias,
    "delete_function": _check_deletion,
    "add_permission": _check_permission,
}


def _create(original: Any, self: Any) -> Any:
    body = _body(self)
    _check_arn(str(body.get("FunctionName", "")), self.region)
    if body.get("PackageType", "Zip") == "Zip" and not (body.get("Runtime") and body.get("Handler")):
        words = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        raise lambda_error("InvalidParameterValueException", words)
    return original(self)


def _body(self: Any) -> Mapping[str, Any]:
    try:
        found = json.loads(self.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
