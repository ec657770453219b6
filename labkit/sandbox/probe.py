"""Does this machine allow the sandbox? Tried for real, once, in a few dozen milliseconds.

What belongs here: trying, and saying which part was refused. What does not: the reasons and their
cures (diagnosis.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.base.errors import SandboxError
from labkit.sandbox import stages
from labkit.sandbox.diagnosis import explain, facts_of_this_machine
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.stages import Refused

_OK, _NOT_TRIED = "ok", "not tried"


@dataclass(frozen=True)
class Verdict:
    """Whether sandboxes run here.

    `tried`: each part in order, with "ok", the kernel's answer, or "not tried". `reason` and `fix` are
    empty when all is well.
    """

    ok: bool
    tried: Mapping[str, str]
    reason: str = ""
    fix: str = ""


def probe(open_host: Callable[[], SandboxHost] = SandboxHost.open) -> Verdict:
    """Start a sandbox and a private network, and say what was refused. Leaves nothing behind."""
    try:
        with open_host() as host:
            host.network("open_router", router="probe")
    except SandboxError as error:
        refused = error.__cause__
        if not isinstance(refused, Refused):
            raise
        reason, fix = explain(refused, facts_of_this_machine())
        return Verdict(False, _up_to(refused), reason, fix)
    return Verdict(True, dict.fromkeys(stages.ALL, _OK))


def _up_to(refused: Refused) -> dict[str, str]:
    """The parts before the refused one passed; those after it were not tried."""
    tried = dict.fromkeys(stages.ALL, _NOT_TRIED)
    for part in stages.ALL:
        if part == refused.stage:
            tried[part] = refused.reason
            break
        tried[part] = _OK
    return tried
