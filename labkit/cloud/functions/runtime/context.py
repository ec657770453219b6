"""The context object that a handler gets from the kit's own runtime client.

What belongs here: AWS Lambda, "Using the Lambda context object to retrieve Python function information". What
does not: invoking (runtime_client). Runs inside the sandbox, so it uses nothing of the kit.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any


class _Record:
    """Named values, None where a mapping has none, shown as AWS's objects are."""

    _names: tuple[str, ...] = ()

    def __init__(self, values: Mapping[str, Any]) -> None:
        for name in self._names:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{','.join(f'{n}={getattr(self, n)}' for n in self._names)}])"


class CognitoIdentity(_Record):
    """Who called, for requests from Amazon Cognito."""

    _names = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Record):
    """The mobile application that called."""

    _names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Record):
    """What the mobile application sent along."""

    _names = ("custom", "env", "client")

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        client = values.get("client")
        self.client = None if client is None else Client(client)


class LambdaContext(_Record):
    """See the page named above."""

    _names = (
        "aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb",
        "function_version", "invoked_function_arn", "client_context", "identity", "tenant_id",
    )  # fmt: skip

    def __init__(
        self,
        request_id: str,
        deadline_ms: int,
        function_arn: str,
        client_context: Mapping[str, Any] | None,
        identity: Mapping[str, Any] | None,
    ) -> None:
        """`deadline_ms`: milliseconds since the epoch."""
        cognito = identity or {}
        super().__init__(
            {
                "aws_request_id": request_id,
                "invoked_function_arn": function_arn,
                "client_context": None if client_context is None else ClientContext(client_context),
                "identity": CognitoIdentity(
                    {
                        "cognito_identity_id": cognito.get("cognitoIdentityId"),
                        "cognito_identity_pool_id": cognito.get("cognitoIdentityPoolId"),
                    }
                ),
                **_variables(),
            }
        )
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended; never negative."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log."""
        for handler in logging.getLogger().handlers:
            write = getattr(handler, "log_text", None)
            if write is not None:
                return write(str(message))  # type: ignore[no-any-return]
        sys.stdout.write(str(message))
        return None


def _variables() -> dict[str, str | None]:
    names = {
        "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
        "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
        "function_name": "AWS_LAMBDA_FUNCTION_NAME",
        "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
        "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    }
    return {name: os.environ.get(variable) for name, variable in names.items()}
