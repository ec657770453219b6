"""Lambda's data plane: functions really run, each concurrent execution in an environment of its own.

What belongs here: the one object that the rest of the cloud uses, joining the parts of this package.
What does not: AWS's API in front of it, which turns errors.py into AWS's answers.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from labkit.aws.records import FunctionRecord, InvocationResult
from labkit.base import events
from labkit.base.events import Emit, Event
from labkit.cloud.functions import report
from labkit.cloud.functions.asynchronous import RETRY_SECONDS, EventQueue
from labkit.cloud.functions.code import CodeStore, Packages
from labkit.cloud.functions.environment import Environment, State
from labkit.cloud.functions.errors import MAX_EVENT, MAX_REQUEST, InvalidRequestContent, RequestTooLarge
from labkit.cloud.functions.housekeeping import Housekeeper
from labkit.cloud.functions.logs import Line
from labkit.cloud.functions.placement import Surroundings
from labkit.cloud.functions.pool import Pool, PoolLimits
from labkit.cloud.functions.runner import Runner
from labkit.cloud.ports import AwsAccess, CredentialIssuer, Fabric, LogWriter, Sandboxes

#: AWS Lambda, "Understanding the Lambda execution environment lifecycle": limit of the init phase
INIT_SECONDS = 10.0
#: how long close waits for invocations whose processes it has killed
_CLOSE_SECONDS = 20.0


@dataclass(frozen=True)
class EnvironmentState:
    """One environment, for people and tests."""

    name: str
    function_arn: str
    revision: str
    log_stream: str
    state: State


class FunctionService:
    """Runs functions. Every method may be called from any thread."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        fabric: Fabric,
        credentials: CredentialIssuer,
        logs: LogWriter,
        access: AwsAccess,
        code: Packages,
        *,
        emit: Emit = events.ignore,
        limits: PoolLimits | None = None,
        init_seconds: float = INIT_SECONDS,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
        folder: Path | None = None,
        before_init: Callable[[], object] = lambda: None,
    ) -> None:
        """`code` gives a deployment package by ARN and version; `access` is the way to AWS's API; `folder` is where code is unpacked (default: a temporary folder of its own); `before_init` is called where an init begins, and counts as its time."""
        self._logs, self._emit, self._init_seconds, self._before_init = logs, emit, init_seconds, before_init
        self._code = CodeStore(code, folder=folder)
        self._around = Surroundings(sandboxes, fabric, credentials, access, self._code)
        self._pool = Pool(self._create, self._retire, limits=limits or PoolLimits(), now=time.monotonic)
        self._housekeeper = Housekeeper(self._pool.expire, self._failed)
        self._events = EventQueue(self._attempt, failed=self._failed, retry_seconds=retry_seconds)

    def invoke(
        self,
        function: FunctionRecord,
        payload: bytes,
        *,
        request_id: str,
        tail: bool = False,
        client_context: str = "",
    ) -> InvocationResult:
        """Run the function once and return what it answers, or how it failed.

        An empty payload is `{}`; `client_context` is JSON, as the runtime takes it. Raises RequestTooLarge,
        InvalidRequestContent, TooManyRequests, InvalidCode, ServiceClosed; LabError when this machine
        can't run it. AWS Lambda, API reference of Invoke (RequestResponse).
        """
        payload = _checked(payload, "RequestResponse", MAX_REQUEST)
        runner = self._pool.acquire(function)
        try:
            completion = runner.invoke(request_id, payload, client_context)
        except BaseException:
            self._pool.release(runner, reusable=False)
            raise
        result = completion.outcome
        self._pool.release(runner, reusable=result.reusable)
        self._housekeeper.submit(lambda: self._write(runner.environment, completion.lines))
        return InvocationResult(
            result.payload, result.function_error, completion.tail() if tail else "", function.version
        )

    def invoke_event(self, function: FunctionRecord, payload: bytes, *, request_id: str) -> None:
        """Take an asynchronous invocation; it runs soon, and twice more when it fails.

        Raises RequestTooLarge, InvalidRequestContent. AWS Lambda, API reference of Invoke (Event).
        """
        self._events.submit(function, _checked(payload, "Event", MAX_EVENT), request_id)

    def reconcile(self, functions: Iterable[FunctionRecord]) -> None:
        """End the environments of functions that are gone or changed; busy ones finish first."""
        wanted = list(functions)
        self._pool.reconcile(wanted)
        hashes = {function.code_sha256 for function in wanted}
        self._housekeeper.submit(lambda: self._code.forget_unused(hashes))

    def environments(self) -> list[EnvironmentState]:
        """Every environment that has not been cleared away."""
        return [_describe(runner) for runner in self._pool.runners()]

    def flush(self) -> None:
        """Wait until the logs of finished invocations are written and ended environments are gone."""
        self._housekeeper.flush()

    def close(self) -> None:
        """End every environment, running invocations included, and leave nothing behind."""
        self._pool.close()
        for runner in self._pool.runners():
            runner.kill()
        self._pool.wait_released(_CLOSE_SECONDS)
        self._events.close()
        self._housekeeper.close()
        self._code.close()

    def _create(self, function: FunctionRecord) -> Runner:
        stream = report.stream_name(function.version, now=time.time())
        environment = Environment(f"fn-{secrets.token_hex(5)}", function, stream)
        return Runner(
            environment, self._around, init_seconds=self._init_seconds, before_init=self._before_init
        )

    def _retire(self, runner: Runner) -> None:
        if runner.environment.end():
            self._housekeeper.submit(runner.close)

    def _attempt(self, function: FunctionRecord, payload: bytes, request_id: str) -> InvocationResult:
        return self.invoke(function, payload, request_id=request_id)

    def _write(self, environment: Environment, lines: list[Line]) -> None:
        function = environment.function
        self._logs.write(
            role_arn=function.role_arn,
            region=function.region,
            group=function.log_group,
            stream=environment.log_stream,
            lines=lines,
        )

    def _failed(self, error: BaseException) -> None:
        self._emit(Event("warning", f"Lambda: {error}", {"type": type(error).__name__}))


def _checked(payload: bytes, invocation_type: str, limit: int) -> bytes:
    """The event as the function gets it. Raises RequestTooLarge, InvalidRequestContent."""
    if len(payload) > limit:
        raise RequestTooLarge(len(payload), invocation_type=invocation_type, limit=limit)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        raise InvalidRequestContent(str(error)) from error
    return payload or b"{}"


def _describe(runner: Runner) -> EnvironmentState:
    """An environment whose process has died while idle has ended, if nobody has noticed yet."""
    environment, function = runner.environment, runner.environment.function
    state = environment.state
    if state is State.READY and not runner.usable():
        state = State.ENDED
    return EnvironmentState(environment.name, function.arn, function.revision, environment.log_stream, state)
