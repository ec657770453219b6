"""`./lab cloud start`, `status`, `stop`, `logs`, `why`, `shell`: the life of the local cloud on the command line.

What belongs here: those, and handing the other actions on. What does not: what explains the cloud (cloud_commands), how it
is started and stopped (labkit.cloud.client).
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labkit.aws.accounts import ALL as ACCOUNTS
from labkit.base.errors import UsageError
from labkit.base.events import banner
from labkit.base.state import exclusive
from labkit.cli import cloud_commands, grade_command, looking_inside, why
from labkit.cli.console import Console
from labkit.lesson.model import Options, Places

if TYPE_CHECKING:
    from labkit.cloud.client.lifecycle import LocalCloud
    from labkit.lesson.context import Context

#: a cloud that says nothing for so long about itself is stopped or overloaded
_STATUS_SECONDS = 10


def register(
    commands: Any,
    common: Callable[[argparse.ArgumentParser], None],
    places: Callable[[], Places],
    own_context: Callable[..., "Context"],
) -> None:
    """Add `cloud` to the command line."""
    parser = commands.add_parser("cloud", help="the local cloud itself")
    common(parser)
    parser.add_argument(
        "action", choices=["start", "status", "stop", "logs", "why", "shell", *cloud_commands.ACTIONS]
    )
    parser.add_argument("words", nargs="*", default=[], help="what trace, break and mend are about")
    parser.add_argument(
        "--aws",
        metavar="REGION",
        default="",
        help="with trace: read the descriptions of your own AWS account in this region (looks only)",
    )
    parser.add_argument(
        "--account",
        choices=sorted(ACCOUNTS),
        default="",
        help="with start: the kind of AWS account to be (default: the one chosen last, at first full)",
    )
    parser.add_argument(
        "--forget", action="store_true", help="with stop: what stands in the cloud goes too; your files stay"
    )
    parser.set_defaults(command=lambda arguments, console: _run(arguments, console, places, own_context))


def local_cloud(places: Places, account: str = "") -> "LocalCloud":
    """The one local cloud of this folder."""
    from labkit.cloud.client.lifecycle import LocalCloud

    return LocalCloud(places.state / "cloud", lasting=True, wanted=account)


def _run(
    arguments: argparse.Namespace,
    console: Console,
    places: Callable[[], Places],
    own_context: Callable[..., "Context"],
) -> int:
    if arguments.action in cloud_commands.ACTIONS:
        return cloud_commands.run(arguments, own_context(console, Options(target="local")), console)
    if arguments.account and arguments.action != "start":
        raise UsageError(
            "The account is chosen when the cloud starts.", hint="./lab cloud start --account NAME"
        )
    if arguments.forget and arguments.action != "stop":
        raise UsageError("The cloud forgets when it stops.", hint="./lab cloud stop --forget")
    if arguments.action == "shell":
        return looking_inside.local_shell(own_context(console), console)
    if arguments.action == "stop":
        return _stop(places(), console, forget=arguments.forget)
    action = {"start": _start, "status": _status, "logs": _logs, "why": why.tell_newest_refusal}
    return action[arguments.action](local_cloud(places(), arguments.account), console)


def _start(cloud: "LocalCloud", console: Console) -> int:
    endpoint = cloud.ensure(console.event)
    console.line(f"✓ The local cloud answers at {endpoint.url} (process {endpoint.pid}).", style="good")
    _say_account(endpoint.account, console)
    console.line("  To work with it by hand:  ./lab cloud shell")
    console.result(
        {"url": endpoint.url, "pid": endpoint.pid, "tier": endpoint.tier, "account": endpoint.account}
    )
    return 0


def _say_account(name: str, console: Console) -> None:
    account = ACCOUNTS[name]
    if account.regions:
        where = " and ".join(account.regions)
        console.line(f"  account   {name}: {where} only, no IAM writes, role {account.role}")


def _status(cloud: "LocalCloud", console: Console) -> int:
    endpoint = cloud.running()
    if endpoint is None:
        if cloud.was_lost:
            console.line(
                "✗ The local cloud had ended without being stopped; the next start says what is still there.",
                style="bad",
            )
        console.line("The local cloud is not running. Any step starts it, or: ./lab cloud start")
        console.result({"running": False, "lost": cloud.was_lost})
        return 3
    status = cloud.ask("GET", "status", timeout=_STATUS_SECONDS)
    console.line(f"✓ The local cloud answers at {endpoint.url} (process {endpoint.pid}).", style="good")
    console.line(f"  sandbox   {endpoint.tier}")
    _say_account(endpoint.account, console)
    if endpoint.tier_text:
        console.line(f"  {endpoint.tier_text}", style="warn")
        console.hint(endpoint.tier_fix)
    if status["not_kept"]:
        console.line(f"✗ What changes is not kept: {status['not_kept']}", style="bad")
        console.hint(
            "Free some disk space. Until then a kill loses what was changed; rows and objects are safe."
        )
    for trouble in status["troubles"]:
        console.line(f"✗ {trouble}.", style="bad")
    for name in ("instances", "functions"):
        for entry in status[name]:
            console.line(f"  {name[:-1]:<9} {entry['id']}  {entry['state']}")
    console.line(f"  memory    {status['memory_mb']} MB, processes {status['processes']}")
    console.result(
        {"running": True, "url": endpoint.url, "tier": endpoint.tier, "account": endpoint.account, **status}
    )
    return 0


def _stop(places: Places, console: Console, *, forget: bool) -> int:
    grade_command.forget(places, console)
    cloud = local_cloud(places)
    busy = "A step of this lab is running; without the cloud it would end half-way."
    with exclusive(places.state / "step.lock", busy=busy):
        stopped = cloud.stop(console.event, forget=forget)
    kept = cloud.kept_since
    console.line("✓ The local cloud is stopped." if stopped else "The local cloud was not running.")
    if kept:
        console.line(
            "  What stands in it is kept; the next step goes on from there. To give it up:  ./lab cloud stop --forget"
        )
    elif forget:
        console.line("  Nothing of it is left.")
    console.result({"stopped": stopped, "kept": bool(kept)})
    return 0


def _logs(cloud: "LocalCloud", console: Console) -> int:
    from labkit.base.text import printable

    console.event(banner("Log", "local cloud"))
    lines = cloud.log.read_text(errors="replace").splitlines() if cloud.log.exists() else []
    for line in lines or ["The local cloud has not written a log yet."]:
        console.line(printable(line))
    console.result({"lines": lines})
    return 0
