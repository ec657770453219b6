"""The client of Lambda's Runtime API, by which every function is served.

It does what AWS's own client (awslambdaric) does, as far as a function can tell: the same errors, log lines and
context. A test serves the same functions with both and compares.

What belongs here: fetching events, calling the handler, telling what came of it. What does not: what may be
imported (bootstrap). Runs inside the sandbox, so it uses nothing of the kit.

AWS Lambda, "Using the Lambda runtime API for custom runtimes", "Python function errors in Lambda".
"""

import decimal
import http.client
import importlib
import json
import logging
import math
import os
import re
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NoReturn, TextIO

from labkit.cloud.functions.runtime.context import LambdaContext

_PATH = "/2018-06-01/runtime/"
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_XRAY_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
_MOST_CAUSE = 1 << 20
_TEXT_FRAME, _ERROR_FRAME = b"\xa5\x5a\x00\x03", b"\xa5\x5a\x00\x17"
_LINE = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_NO_BREAK_SPACE = "\u00a0"
#: from this runtime on, answers keep letters beyond ASCII as they are
_UNESCAPED_SINCE = (3, 12)
_OUT_OF_MEMORY = 137
#: what AWS's runtime says first when no handler can be had
_UNHANDLED = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. "
    "For functions using managed runtimes, runtime updates can be triggered by a function change, or can be applied automatically. "
    "To determine if the runtime has been updated, check the runtime version in the INIT_START log entry. "
    "If this error correlates with a change in the runtime version, you may be able to mitigate this error by temporarily rolling back to the previous runtime version. "
    "For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)

Handler = Callable[[Any, LambdaContext], Any]


class Fault(Exception):
    """An error of the runtime's own, by AWS's name for it."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.trace = f"Runtime.{kind}", message, trace or []


class Api:
    """Lambda's Runtime API at `address`, over one connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def next_event(self) -> tuple[Mapping[str, str], bytes]:
        """Wait for an event: its headers and its body."""
        return self._ask("GET", "invocation/next", b"", {})

    def respond(self, request_id: str, body: bytes, kind: str) -> None:
        """The handler's answer."""
        self._ask("POST", f"invocation/{request_id}/response", body, {"Content-Type": kind})

    def fail(self, request_id: str, error: Mapping[str, Any], cause: str) -> None:
        """The handler's failure."""
        headers = {_ERROR_TYPE: str(error["errorType"]), "Content-Type": "application/json"}
        if len(cause) < _MOST_CAUSE:
            headers[_XRAY_CAUSE] = cause
        self._ask("POST", f"invocation/{request_id}/error", _encode(error).encode(), headers)

    def fail_init(self, error: Mapping[str, Any]) -> None:
        """No handler could be had."""
        headers = {_ERROR_TYPE: str(error["errorType"]), "Content-Type": "application/json"}
        self._ask("POST", "init/error", _encode(error).encode(), headers)

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Mapping[str, str], bytes]:
        self._connection.request(method, _PATH + path, body or None, dict(headers))
        answer = self._connection.getresponse()
        return dict(answer.headers.items()), answer.read()


# -- the log ----------------------------------------------------------------------------------------------


class Log(logging.Handler):
    """The function's log: framed records on a descriptor, so that one of many lines stays one event."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.request_id = ""
        self.setFormatter(logging.Formatter(_LINE, "%Y-%m-%dT%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """One record of Python's logging."""
        record.aws_request_id = self.request_id
        self.log_text(self.format(record))

    def log_text(self, text: str, frame: bytes = _TEXT_FRAME) -> None:
        """One event."""
        data = text.encode("utf-8", "surrogateescape")
        now = (time.time_ns() // 1000).to_bytes(8, "big")
        os.write(self._descriptor, frame + len(data).to_bytes(4, "big") + now + data)

    def log_error(self, error: Mapping[str, Any]) -> None:
        """A failure, as AWS's runtime words it."""
        head = "[ERROR]" + (f" {error['errorType']}" if error["errorType"] else "")
        if error["errorMessage"]:
            head += f"{':' if error['errorType'] else ''} {error['errorMessage']}"
        lines = [line for each in error["stackTrace"] for line in each.splitlines() or [""]]
        indented = [
            _NO_BREAK_SPACE * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in lines
        ]
        self.log_text("\n".join([head, "Traceback (most recent call last):", *indented]), _ERROR_FRAME)


class _Unbuffered:
    """A stream whose text is out at once: what was printed before an end is seen."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def writelines(self, lines: Any) -> None:
        self._stream.writelines(lines)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


# -- the handler ------------------------------------------------------------------------------------------


def find(handler: str) -> Handler:
    """The function that `handler` ("module.function") names. Raises Fault, and what its module raises."""
    module, dot, name = handler.rpartition(".")
    if not dot:
        words = "not enough values to unpack (expected 2, got 1)"
        raise Fault("MalformedHandlerName", f"Bad handler '{handler}': {words}")
    found = _import(module)
    try:
        return getattr(found, name)  # type: ignore[no-any-return]
    except AttributeError as error:
        raise Fault("HandlerNotFound", f"Handler '{name}' missing on module '{module}'") from error


def _import(module: str) -> Any:
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
    try:
        return importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", trace) from error


def serve(handler: str, address: str, log_descriptor: int) -> NoReturn:
    """Run `handler` for one event after the other; ends with the process. Raises SystemExit when it can't."""
    sys.stdout, sys.stderr = _Unbuffered(sys.stdout), _Unbuffered(sys.stderr)
    logging.Formatter.converter = time.gmtime
    log, api = Log(log_descriptor), Api(address)
    logging.getLogger().addHandler(log)
    try:
        function = find(handler)
    except Exception as error:
        _fail_init(api, log, error)
    while True:
        _serve_one(api, log, function)


def _fail_init(api: Api, log: Log, error: Exception) -> NoReturn:
    logging.warning(_UNHANDLED)
    result = _failure(error, "")
    log.log_error(result)
    api.fail_init(result)
    raise SystemExit(1)


def _serve_one(api: Api, log: Log, function: Handler) -> None:
    headers, body = api.next_event()
    request_id = log.request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    _trace(headers.get("Lambda-Runtime-Trace-Id"))
    try:
        answer, kind = _answer(function, headers, body)
    except Exception as error:
        if isinstance(error, MemoryError):
            os._exit(_OUT_OF_MEMORY)  # on AWS the kernel ends a function that has no memory left
        result = _failure(error, request_id)
        log.log_error(result)
        api.fail(request_id, result, _cause(error, result))
    else:
        api.respond(request_id, answer, kind)


def _trace(value: str | None) -> None:
    if value is None:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    else:
        os.environ["_X_AMZN_TRACE_ID"] = value


def _answer(function: Handler, headers: Mapping[str, str], body: bytes) -> tuple[bytes, str]:
    context = LambdaContext(
        headers["Lambda-Runtime-Aws-Request-Id"],
        int(headers["Lambda-Runtime-Deadline-Ms"]),
        headers.get("Lambda-Runtime-Invoked-Function-Arn", ""),
        _json_header(headers.get("Lambda-Runtime-Client-Context"), "Client Context"),
        _json_header(headers.get("Lambda-Runtime-Cognito-Identity"), "Cognito Identity"),
    )
    result = function(_event(body), context)
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return _encode(result).encode(), "application/json"
    except Exception as error:
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from error


def _event(body: bytes) -> Any:
    try:
        return json.loads(body)
    except Exception as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _json_header(text: str | None, name: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Fault("LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {error}") from error


# -- failures ---------------------------------------------------------------------------------------------


def _failure(error: Exception, request_id: str) -> dict[str, Any]:
    """A failure in AWS's shape."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        kind, message = type(error).__name__, str(error)
        # as plain rows: AWS's has no line with carets below the code
        trace = traceback.format_list([tuple(frame) for frame in _frames(error.__traceback__)])
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames below our own."""
    frames = list(traceback.extract_tb(trace))
    own = next((i for i, frame in enumerate(frames) if frame.filename != __file__), len(frames))
    return frames[own:] or frames


def _cause(error: Exception, result: Mapping[str, Any]) -> str:
    """The failure as AWS X-Ray wants it."""
    frames = [] if isinstance(error, Fault) else _frames(error.__traceback__)
    stack = [{"label": frame.name, "path": frame.filename, "line": frame.lineno} for frame in frames]
    kind = "LambdaValidationError" if isinstance(error, Fault) else result["errorType"]
    exceptions = [{"message": result["errorMessage"], "type": kind, "stack": stack}]
    paths = sorted({frame.filename for frame in frames})
    return json.dumps({"working_directory": os.getcwd(), "exceptions": exceptions, "paths": paths})


def _encode(value: object) -> str:
    """JSON as AWS's runtime writes it: decimals as the numbers that they are."""
    mark = uuid.uuid4().hex

    def default(other: object) -> object:
        if isinstance(other, decimal.Decimal):
            return math.nan if other.is_nan() else f"{mark}{other}{mark}"
        raise TypeError(f"Object of type {type(other).__name__} is not JSON serializable")

    version = re.search(r"python(\d+)\.(\d+)", os.environ.get("AWS_EXECUTION_ENV", ""))
    unescaped = bool(version and (int(version[1]), int(version[2])) >= _UNESCAPED_SINCE)
    text = json.dumps(value, default=default, ensure_ascii=not unescaped)
    return re.sub(f'"{mark}(.*?){mark}"', r"\1", text) if mark in text else text
