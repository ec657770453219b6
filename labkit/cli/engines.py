"""The commands about engines and what they leave: parity, sweep, evidence.

What belongs here: their command line and how their results are shown. What does not: work (labkit.lesson).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import banner
from labkit.base.text import span
from labkit.cli.console import Console
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.deploy.parity import Difference
    from labkit.lesson.sweeping import Swept


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the commands of this module to the command line."""
    parser = commands.add_parser("parity", help="prove that both engines create the same (instructors)")
    common(parser)
    parser.add_argument(
        "--static", action="store_true", help="compare plan and template only, create nothing"
    )
    parser.set_defaults(command=lambda arguments, console: _parity(arguments, places(), console))
    _sweep_parser(commands, common, places)
    _evidence_parser(commands, common, places)


def _parity(arguments: argparse.Namespace, places: Places, console: Console) -> int:
    from labkit.course.manifest import load
    from labkit.lesson.compare.parity import run_parity, run_static

    console.event(banner("Parity", "local clouds of its own"))
    manifest = load(places.root)
    found = {"stated": run_static(places, manifest, console.event)}
    _show_differences(found["stated"], "Both engines' files state the same infrastructure.", console)
    if not arguments.static:
        found["created"] = run_parity(places, manifest, console.event)
        _show_differences(found["created"], "Both engines create the same infrastructure.", console)
    console.result({what: [asdict(each) for each in differences] for what, differences in found.items()})
    return 1 if any(found.values()) else 0


def _show_differences(differences: list["Difference"], same: str, console: Console) -> None:
    from labkit.deploy.engines import NAMES, TITLES
    from labkit.deploy.parity import table

    if not differences:
        console.line(f"✓ {same}", style="good")
        return
    for line in table(differences, *(TITLES[name] for name in NAMES)):
        console.line(line)


# ---- Sweep --------------------------------------------------------------------------------------------


def _sweep_parser(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    parser = commands.add_parser(
        "sweep", help="find labs that outlived their time to live; delete them with --yes"
    )
    common(parser)
    parser.add_argument("--target", choices=["local", "aws"], default="local", help="where to look (local)")
    parser.add_argument(
        "--region", action="append", metavar="NAME", help="where to look; may be given more than once"
    )
    parser.add_argument("--older-than", metavar="SPAN", help="24h, 90min, 2d … instead of what the tags say")
    parser.add_argument(
        "--variant", default="", metavar="CODE", help="this lab only, also one of unknown age"
    )
    parser.add_argument(
        "--yes", action="store_true", help="delete what is found; without it nothing is touched"
    )
    parser.set_defaults(command=lambda arguments, console: _sweep(arguments, places(), console))


def _sweep(arguments: argparse.Namespace, places: Places, console: Console) -> int:
    from labkit.cloud.client.lifecycle import LocalCloud
    from labkit.course.manifest import load
    from labkit.deploy.removing.sweep import span
    from labkit.lesson import sweeping

    cloud = LocalCloud(places.state / "cloud", lasting=True)
    regions = arguments.region or [cloud.account.region(load(places.root).region)]
    limit = span(arguments.older_than) if arguments.older_than else None
    order = sweeping.Order(regions, limit, arguments.variant, arguments.yes)
    place = "AWS" if arguments.target == "aws" else "local cloud"
    console.event(banner("Sweep", f"{place}, {', '.join(regions)}"))
    where = sweeping.targets(arguments.target, regions, cloud)
    swept = list(sweeping.run(where, order, console.event)) if where else []
    if where:
        _show_swept(swept, console, regions)
    else:
        console.line("The local cloud is not running: nothing stands there.")
    console.result({"labs": [_as_data(each) for each in swept]})
    return 1 if any(each.left for each in swept) else 0


def _show_swept(swept: Sequence["Swept"], console: Console, regions: Sequence[str]) -> None:
    now = time.time()
    if not swept:
        console.line(f"✓ No lab stands in {', '.join(regions)}.", style="good")
        return
    console.line(f"{'lab':<10}{'region':<16}{'newest part':<14}{'may live':<10}{'things':<8}", style="strong")
    for each in swept:
        lab = each.lab
        age = "unknown" if lab.since is None else f"{span(now - lab.since)} old"
        ttl = "unknown" if lab.ttl is None else span(lab.ttl)
        console.line(
            f"{lab.variant[:9]:<10}{each.region[:15]:<16}{age:<14}{ttl:<10}{len(lab.things):<8}{_fate(each)}",
            style="warn" if each.state != "lives" else "",
        )
        for survivor in each.left:
            console.line(f"  still there: {survivor.kind} {survivor.identifier}", style="bad")
    if any(each.state == "outlived" and not each.deleted for each in swept):
        console.line("Nothing was deleted. To delete what outlived its time:  ./lab sweep --yes")
    if any(each.state == "unknown" and not each.deleted for each in swept):
        console.line("Of unknown age: look, then name it:  ./lab sweep --variant CODE --yes")


def _fate(each: "Swept") -> str:
    if each.deleted:
        return "some is left" if each.left else "deleted"
    return "of unknown age" if each.state == "unknown" else each.state


def _as_data(each: "Swept") -> dict[str, Any]:
    return {
        "region": each.region,
        "variant": each.lab.variant,
        "state": each.state,
        "since": each.lab.since,
        "ttl": each.lab.ttl,
        "things": [asdict(thing) for thing in each.lab.things],
        "deleted": each.deleted,
        "left": [asdict(thing) for thing in each.left],
    }


# ---- Evidence -----------------------------------------------------------------------------------------


def _evidence_parser(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    parser = commands.add_parser("evidence", help="write down that your lab stands on AWS, for the bonus")
    common(parser)
    parser.add_argument("--student", help="whose lab (default: the current one)")
    parser.add_argument(
        "--region", default="", metavar="NAME", help="where it stands (default: the lab's region)"
    )
    parser.set_defaults(command=lambda arguments, console: _evidence(arguments, places(), console))


def _evidence(arguments: argparse.Namespace, places: Places, console: Console) -> int:
    from labkit.base import state
    from labkit.course.manifest import load
    from labkit.course.workspace import Workspaces
    from labkit.deploy import aws_evidence, credentials
    from labkit.lesson import aws

    if aws.is_rehearsed():
        raise UsageError("A rehearsal is no evidence of AWS.", hint="Leave the rehearsal, and deploy there.")
    manifest = load(places.root)
    workspace = Workspaces(places.base, manifest).open(arguments.student)
    region = arguments.region or manifest.region
    console.event(banner("Evidence", f"AWS, {region}"))
    clients = credentials.on_aws(region, "validate", console.event)
    value = aws_evidence.collect(clients, workspace.variant)
    state.write_json(workspace.path / aws_evidence.FILE, value)
    console.line(
        f"✓ {len(value['inventory'])} things stand in {value['region']}; kept in {aws_evidence.FILE}",
        style="good",
    )
    console.line("It goes into your pack by itself:  ./lab submit")
    console.result(value)
    return 0
