"""Commands about the local cloud that look into it or break it: trace, break, mend.

What belongs here: their command lines and output. What does not: the network decision (labkit.cloud), the
faults (labkit.lesson.faults.faults).
"""

import argparse
from typing import TYPE_CHECKING, Any

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.base.events import Event, banner
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.deploy.targets import Clients
    from labkit.lesson.context import Context
    from labkit.lesson.faults.faults import Bench, Fault

ACTIONS = ("trace", "break", "mend")
_USAGE = {
    "trace": "./lab cloud trace FROM TO PORT   (instance id, function name, address, host name of AWS)",
    "break": "./lab cloud break NAME",
    "mend": "./lab cloud mend [NAME]",
}


def run(arguments: argparse.Namespace, context: "Context", console: Console) -> int:
    """One of ACTIONS. Raises UsageError where words are missing, LabError where nothing is deployed."""
    words, where = list(arguments.words), f"AWS, {arguments.aws}" if arguments.aws else context.target_words
    console.event(banner(f"{arguments.action.capitalize()}", where))
    if arguments.action == "trace":
        return _trace(words, context, console, arguments.aws)
    return _break(words, context, console) if arguments.action == "break" else _mend(words, context, console)


def _trace(words: list[str], context: "Context", console: Console, region: str = "") -> int:
    from labkit.aws.network.descriptions import topology_of
    from labkit.aws.network.trace import trace

    if len(words) != 3 or not words[2].isdecimal():
        raise UsageError("A trace goes from somewhere to somewhere, to a port.", hint=_USAGE["trace"])
    found = trace(topology_of(_clients(context, region)), words[0], words[1], int(words[2]))
    for hop in found.verdict.hops:
        console.line(f"  {'✓' if hop.allowed else '✗'} {hop.stage}: {hop.rule}")
    arrives = found.verdict.arrives
    console.line(
        f"{'✓ It arrives' if arrives else '✗ It times out'}: {found.verdict.reason}",
        style="good" if arrives else "bad",
    )
    if found.fix:
        console.hint(found.fix)
    hops = [
        {"stage": h.stage, "allowed": h.allowed, "resource": h.resource, "rule": h.rule}
        for h in found.verdict.hops
    ]
    console.result({"arrives": arrives, "address": found.destination, "hops": hops, "fix": found.fix})
    return 0 if arrives else 1


def _clients(context: "Context", region: str) -> "Clients":
    """Clients of the local cloud; of AWS itself, with the credentials that boto3 finds, where a region is given."""
    from labkit.deploy import credentials

    return credentials.on_aws(region, "validate", context.emit) if region else context.clients


def _fault(words: list[str]) -> "Fault":
    from labkit.lesson.faults import faults

    names = [fault.name for fault in faults.ALL]
    if len(words) != 1 or words[0] not in names:
        raise UsageError("Which fault?", hint=f"{_USAGE['break']}: {', '.join(names)}")
    return faults.by_name(words[0])


def _break(words: list[str], context: "Context", console: Console) -> int:
    fault = _fault(words)
    path, broken = _broken(context)
    if fault.name in broken:
        raise UsageError(
            f"{fault.name} is in force already.", hint=f"Take it back:  ./lab cloud mend {fault.name}"
        )
    broken[fault.name] = fault.make(_bench(context))
    state.write_json(path, broken)
    console.event(Event("done", f"{fault.name} is in force: {fault.teaches}."))
    console.line(f"  To take it back:  ./lab cloud mend {fault.name}")
    console.result({"broken": sorted(broken)})
    return 0


def _mend(words: list[str], context: "Context", console: Console) -> int:
    """Take back one fault, or all of them, the newest first."""
    path, broken = _broken(context)
    wanted = [_fault(words).name] if words else list(reversed(broken))
    for name in wanted:
        if name not in broken:
            raise UsageError(f"{name} is not in force.", hint=f"In force: {', '.join(broken) or 'nothing'}")
        _fault([name]).undo(_bench(context), broken.pop(name))
        state.write_json(path, broken)
        console.line(f"✓ {name} is taken back.")
    if not wanted:
        console.line("No fault is in force.")
    console.result({"broken": sorted(broken)})
    return 0


def _broken(context: "Context") -> tuple[Any, dict[str, Any]]:
    path = context.workspace.path / ".lab" / "faults.json"
    return path, dict(state.read_json(path) or {})


def _bench(context: "Context") -> "Bench":
    from labkit.lesson.faults.faults import Bench

    return Bench(context.clients, context.deployed().outputs, context.place, context.workspace.variant.port)
