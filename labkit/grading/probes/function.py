"""The Lambda function, called as a client calls it; its answers read with suspicion.

What belongs here: invoking, and records of what came back. What does not: judging it (grader/checks).
"""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.deploy.targets import Clients
from labkit.grading.judging.naming import cut

#: a function may run for 60 s; its client waits a little longer
READ_SECONDS = 75.0
_LOG_EVENTS = 2000


@dataclass(frozen=True)
class Answer:
    """What one Invoke gave, whatever the student's code did. Never raises; `problem` says what is wrong.

    status: "statusCode", 0 where there is none. body: the object in the JSON text of "body", {} where there is
    none. value: the whole payload, parsed; None when it is no JSON. error: "errorType: errorMessage" when the
    function failed (its exception, a time-out). refused: AWS's code when Invoke itself was refused (429:
    "TooManyRequestsException"). problem: "" for a well-formed answer, else why it is none. log: the last 4 KB.
    """

    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    payload: bytes = b""
    error: str = ""
    refused: str = ""
    problem: str = ""
    request_id: str = ""
    seconds: float = 0.0
    log: str = ""

    @property
    def result(self) -> Mapping[str, Any]:
        """Flask's answer inside the body; {} where there is none."""
        found = self.body.get("result")
        return found if isinstance(found, Mapping) else {}

    @property
    def image_id(self) -> str:
        """The image's id in Flask's answer, "" where there is none."""
        return str(self.result.get("image_id", ""))

    @property
    def key(self) -> str:
        """The object's key in s3_location (what follows the bucket), "" where there is none."""
        parts = str(self.result.get("s3_location", "")).removeprefix("s3://").split("/", 1)
        return parts[1] if len(parts) == 2 else ""

    @property
    def text(self) -> str:
        """The answer in one short line, for `found`."""
        if self.error or self.refused:
            return self.error or self.refused
        if self.problem:
            return self.problem
        return f"{self.status} {cut(json.dumps(self.body, sort_keys=True, default=str), 200)}"


@dataclass(frozen=True)
class Function:
    """The function `name`, reached through `clients`. `booted` returns when its server has booted."""

    clients: Clients
    name: str
    booted: Callable[[], None] = lambda: None

    @property
    def configuration(self) -> Mapping[str, Any]:
        """GetFunctionConfiguration's answer as it is now: Environment, VpcConfig, Role, Timeout …"""
        answer: Mapping[str, Any] = self._api.get_function_configuration(FunctionName=self.name)
        return answer

    @property
    def role_arn(self) -> str:
        """The ARN of its execution role."""
        return str(self.configuration["Role"])

    @property
    def environment(self) -> Mapping[str, str]:
        """Its own variables."""
        found: Mapping[str, str] = self.configuration.get("Environment", {}).get("Variables", {})
        return found

    @property
    def log_group(self) -> str:
        """The group that Lambda writes to."""
        return f"/aws/lambda/{self.name}"

    def invoke(self, event: Any, *, seconds: float = READ_SECONDS) -> Answer:
        """Call it and wait at most `seconds`; `event` is any JSON value, or bytes as they are.

        Raises botocore's errors when the cloud does not answer at all.
        """
        from botocore.exceptions import ClientError, ReadTimeoutError

        self.booted()
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        api = self.clients.client("lambda", read_timeout=seconds)
        started = time.monotonic()
        try:
            answer = api.invoke(FunctionName=self.name, Payload=payload, LogType="Tail")
            data = answer["Payload"].read()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "refused"))
            return Answer(refused=code, problem=f"Invoke was refused: {code}", seconds=_since(started))
        except ReadTimeoutError:
            if seconds >= READ_SECONDS:  # longer than a function may run: the cloud is to blame
                raise
            return Answer(problem=f"no answer within {seconds:.0f} s", seconds=_since(started))
        return read(data, answer, _since(started))

    @contextlib.contextmanager
    def changed(self, **configuration: Any) -> Iterator[None]:
        """Its configuration changed while the body runs, for example Environment={"Variables": {}}; then as before.

        Raises AWS's errors when the change is refused.
        """
        before = self.configuration
        self._update(**configuration)
        try:
            yield
        finally:
            self._update(**{name: before.get(name, {}) for name in configuration})

    def _update(self, **configuration: Any) -> None:
        self._api.update_function_configuration(FunctionName=self.name, **configuration)
        self._api.get_waiter("function_updated_v2").wait(
            FunctionName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 100}
        )

    def logs(self, containing: str = "") -> list[str]:
        """The newest lines in its log group, oldest first; only those with `containing` (a request id)."""
        from botocore.exceptions import ClientError

        try:
            pages = self.clients.client("logs").get_paginator("filter_log_events")
            events = [e for page in pages.paginate(logGroupName=self.log_group) for e in page["events"]]
        except ClientError:
            return []
        lines = [str(event["message"]).rstrip("\n") for event in events[-_LOG_EVENTS:]]
        return [line for line in lines if containing in line]

    @property
    def _api(self) -> Any:
        return self.clients.client("lambda")


def _since(started: float) -> float:
    return time.monotonic() - started


def read(payload: bytes, answer: Mapping[str, Any], seconds: float) -> Answer:
    """The Answer in one Invoke: its payload, and what else the client got."""
    value, problem = _parsed(payload)
    error = ""
    if answer.get("FunctionError"):
        about = value if isinstance(value, Mapping) else {}
        error = f"{about.get('errorType', 'error')}: {about.get('errorMessage', '')}"
    status, body, wrong = (0, {}, error or problem) if error or problem else _shape(value)
    return Answer(
        status=status, body=body, value=value, payload=payload, error=error, problem=wrong, seconds=seconds,
        request_id=str(answer["ResponseMetadata"].get("RequestId", "")),
        log=base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
    )  # fmt: skip


def _parsed(data: bytes | str) -> tuple[Any, str]:
    try:
        return json.loads(data), ""
    except (ValueError, RecursionError):
        return None, f"no JSON: {data[:80]!r}"


def _shape(value: Any) -> tuple[int, Mapping[str, Any], str]:
    """Status, body, and what is wrong with the form that API Gateway wants; it makes a 502 of any other.

    API Gateway developer guide, "Output format of a Lambda function for proxy integration".
    """
    if not isinstance(value, Mapping) or type(value.get("statusCode")) is not int:
        return 0, {}, 'the answer has no "statusCode" that is a whole number'
    status, text = int(value["statusCode"]), value.get("body")
    if not isinstance(text, str):
        return status, {}, f'"body" must be text; it is {type(text).__name__}'
    headers = value.get("headers") or {}
    if not isinstance(headers, Mapping) or any(isinstance(each, Mapping | list) for each in headers.values()):
        return status, {}, '"headers" must be an object of texts'
    body, problem = _parsed(text)
    if problem or not isinstance(body, Mapping):
        return status, {}, '"body" must be the text of a JSON object'
    return status, body, ""
