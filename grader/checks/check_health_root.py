"""Line health-root."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from labkit.grading.api import Failed, Lab, Reply, lost


def check(lab: Lab) -> None:
    """GET / tells what the server is, GET /health that it is healthy, and when.

    Machines ask these two, every few seconds: load balancers, alarms, your own function.
    """
    holding, missing = lost([*_root(lab), *_health(lab)])
    if holding < 1:
        raise Failed(missing, hint="compare with the contract of / and /health in STEPS.md",
                     expected="/ and /health as in the contract", found=missing)  # fmt: skip


def _root(lab: Lab) -> Iterator[tuple[bool, str]]:
    reply = lab.server.request("GET", "/")
    about = _object(reply)
    yield reply.status == 200, f"GET / answers {reply.status or 'nothing'}"
    for name in ("service", "version", "endpoints"):
        yield bool(about.get(name)), f"GET / tells no {name}"


def _health(lab: Lab) -> Iterator[tuple[bool, str]]:
    reply = lab.server.request("GET", "/health")
    about = _object(reply)
    yield reply.status == 200, f"GET /health answers {reply.status or 'nothing'}"
    yield about.get("status") == "healthy", f"GET /health says status {about.get('status', 'nothing')}"
    yield _is_time(about.get("timestamp")), "GET /health tells no timestamp in ISO 8601"


def _object(reply: Reply) -> Mapping[str, object]:
    return reply.json if isinstance(reply.json, Mapping) else {}


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True
