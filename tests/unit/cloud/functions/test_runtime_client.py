"""The kit's runtime client is what AWS's is, as far as a function can tell: both serve the same functions here.

Each is a process of its own against a Runtime API that notes what it is told.
"""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

OURS = """
import os, sys
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
from labkit.cloud.functions.runtime import runtime_client
runtime_client.serve(sys.argv[1], os.environ["AWS_LAMBDA_RUNTIME_API"], int(sys.argv[2]))
"""
AWS = """
import os, sys
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = sys.argv[2]
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
bootstrap.run(sys.argv[1], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False))
"""
EVENTS = (b'{"n": 1}', b'{"n": 2, "name": "\xc3\xa4"}', b"no json", b"[]")
FUNCTIONS = {
    "answers": "def handler(event, context):\n    return {'got': event, 'umlaut': '\u00e4'}\n",
    "prints": "import sys\ndef handler(event, context):\n    print('out', event)\n    print('err', file=sys.stderr)\n",
    "logs": "import logging\nlogging.getLogger().setLevel('INFO')\ndef handler(event, context):\n"
            "    logging.info('one\\ntwo %s', event)\n    logging.getLogger('mine').warning('w')\n",
    "raises": "class Odd(Exception):\n    pass\ndef inner(e):\n    raise Odd('no: ' + str(e))\n"
              "def handler(event, context):\n    return inner(event)\n",
    "raises nothing said": "def handler(event, context):\n    raise ValueError\n",
    "cause": "def handler(event, context):\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n"
             "        raise RuntimeError('two') from error\n",
    "no JSON": "def handler(event, context):\n    return {1, 2}\n",
    "decimal": "import decimal\ndef handler(event, context):\n    return [decimal.Decimal('1.10'), decimal.Decimal('NaN')]\n",
    "bytes": "def handler(event, context):\n    return b'raw \\xff'\n",
    "nothing": "def handler(event, context):\n    pass\n",
    "context": "def handler(event, context):\n    c = context\n    return [c.aws_request_id, c.invoked_function_arn, c.function_name,"
               " c.memory_limit_in_mb, c.log_group_name, str(c.identity), str(c.client_context),"
               " c.get_remaining_time_in_millis() > 1000]\n",
    "exits": "import sys\ndef handler(event, context):\n    sys.exit(3)\n",
    "no such name": "def other(event, context):\n    pass\n",
    "import fails": "import no_such_module\n",
    "syntax": "def handler(event, context)\n    pass\n",
    "raises at import": "raise KeyError('gone')\n",
    "ends at import": "import sys\nsys.exit(4)\n",
}  # fmt: skip
ARN = "arn:aws:lambda:ap-south-1:123456789012:function:f"


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Gives each event once, notes each post; who asks for more waits."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.left = list(enumerate(EVENTS, 1))
        self.asked_for_more = threading.Event()
        self.posts: list[tuple[str, str, Any]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        if not self.server.left:
            self.server.asked_for_more.set()
            self.rfile.read()  # until the client's end
            return
        number, body = self.server.left.pop(0)
        self.send_response(200)
        for name, value in (
            ("Lambda-Runtime-Aws-Request-Id", f"r{number}"),
            ("Lambda-Runtime-Deadline-Ms", "99999999999999"),
            ("Lambda-Runtime-Invoked-Function-Arn", ARN),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.path.endswith("/response")  # of an error the body says all
        self.server.posts.append((self.path, self.headers["Content-Type"] if answer else "", _value(body)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _value(body: bytes) -> Any:
    """A body as JSON where it is some."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def served(program: str, folder: Path, handler: str) -> dict[str, Any]:
    """What the Runtime API was told, what was logged, how the process ended, with `program` as the client."""
    environment = {
        "PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(folder), "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_LOG_STREAM_NAME": "s", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    with RuntimeApi() as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        reader, writer = os.pipe()
        environment["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{api.server_address[1]}"
        with subprocess.Popen(
            [sys.executable, "-c", program, handler, str(writer)], pass_fds=[writer], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            threading.Thread(target=_end_when_served, args=(api, process), daemon=True).start()
            out = process.communicate(timeout=60)[0]
        os.close(writer)
        with os.fdopen(reader, "rb") as log:
            frames = log.read()
        api.shutdown()
    return {"posts": api.posts, "log": _frames(frames), "out": out, "ended": process.returncode}


def _end_when_served(api: RuntimeApi, process: "subprocess.Popen[bytes]") -> None:
    api.asked_for_more.wait()
    process.kill()


def _frames(data: bytes) -> list[tuple[bytes, str]]:
    """The frames of a log without their times: kind and text."""
    found = []
    while data:
        kind, length = data[:4], int.from_bytes(data[4:8], "big")
        text = data[16 : 16 + length].decode()
        found.append((kind, re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)))
        data = data[16 + length :]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="AWS's client has no wheel elsewhere")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_can_not_tell_the_kits_client_from_awss(tmp_path: Path, name: str) -> None:
    (tmp_path / "index.py").write_text(FUNCTIONS[name])
    ours, oracle = (served(program, tmp_path, "index.handler") for program in (OURS, AWS))
    assert ours == oracle


@pytest.mark.skipif(sys.platform != "linux", reason="AWS's client has no wheel elsewhere")
@pytest.mark.parametrize("handler", ["index", "sys.exit", "no_such.handler", "index.no_such", "a/b.handler"])
def test_a_handler_that_can_not_be_had_is_told_as_aws_tells_it(tmp_path: Path, handler: str) -> None:
    (tmp_path / "index.py").write_text(FUNCTIONS["nothing"])
    ours, oracle = (served(program, tmp_path, handler) for program in (OURS, AWS))
    assert ours == oracle
