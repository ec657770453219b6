"""The commands between a student and whoever helps: help-me makes a zip, `ta` opens it.

What belongs here: their command line and what is shown. What does not: the zip (labkit.lesson.handing_in.help_bundle),
opening it (labkit.lesson.assisting).
"""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.classroom.standing import Standing
    from labkit.lesson.context import Context


def register(
    commands: Any,
    common: Callable[[argparse.ArgumentParser], None],
    places: Callable[[], Places],
    context: "Callable[[Console], Context]",
) -> None:
    """Add the commands to the command line."""
    helping = commands.add_parser(
        "help-me", help="one zip for whoever helps you: files, errors, logs, no secrets"
    )
    common(helping)
    helping.set_defaults(command=lambda arguments, console: _help_me(context(console), console))
    ta = commands.add_parser("ta", help="open what a student has sent, beside your own work (staff)")
    common(ta)
    ta.set_defaults(command=lambda arguments, console: _listed(places(), console))
    actions = ta.add_subparsers(title="what to do", metavar="ACTION", dest="action")
    opening = actions.add_parser(
        "open", help="a pack, a folder, a help zip: one screen on where it stops and why"
    )
    common(opening)
    opening.add_argument("source", metavar="ZIP")
    opening.add_argument("--student", help="whose it is, where it does not say so")
    opening.add_argument("--look", action="store_true", help="run nothing of it")
    opening.add_argument("--anew", action="store_true", help="as it was sent, where it is open already")
    opening.add_argument("--safe", action="store_true", help="without the name, for a shared screen")
    opening.add_argument(
        "--ledger", metavar="FILE", help="the class's ledger (default: .lab/class/ledger.sqlite)"
    )
    opening.set_defaults(command=lambda arguments, console: _open(places(), arguments, console))
    inside = actions.add_parser("in", help="a command of the lab in an open one")
    inside.add_argument("who", help="the beginning of its name")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    inside.set_defaults(command=lambda arguments, console: _inside(places(), arguments))
    closing = actions.add_parser("close", help="stop its cloud and delete its folder")
    common(closing)
    closing.add_argument("who", help="the beginning of its name")
    closing.set_defaults(command=lambda arguments, console: _close(places(), arguments.who, console))


def _help_me(context: "Context", console: Console) -> int:
    from labkit.lesson.handing_in import help_bundle

    bundle = help_bundle.gather(context)
    console.line("What goes into the zip:", style="strong")
    for line in bundle.listed():
        console.line(printable(line))
    for name, found in bundle.taken_out.items():
        what = ", ".join(f"{count} × {kind}" for kind, count in found.items())
        console.line(f"! taken out of {printable(name)}: {what}", style="warn")
    bundle.write()
    console.line()
    console.line(f"✓ {_near(bundle.path, context.places.base)}: send it to whoever helps you.", style="good")
    console.line(
        "  Keys, tokens and the names of your folders are not in it. Your id and your files are. Nothing was sent."
    )
    console.result(
        {
            "zip": str(bundle.path),
            "files": sorted(bundle.files),
            "taken_out": {n: dict(f) for n, f in bundle.taken_out.items()},
        }
    )
    return 0


def _near(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


# ---- The one who helps ------------------------------------------------------------------------------


def _open(places: Places, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.base.events import ignore
    from labkit.course.manifest import load
    from labkit.lesson.assisting import opening, screen

    opened = opening.open_sent(
        places,
        load(places.root),
        Path(arguments.source),
        ignore,
        student=arguments.student,
        anew=arguments.anew,
    )
    if opened.again:
        console.line("It was open already, and is as you left it; as it was sent:  --anew", style="dim")
    tried = None if arguments.look else opening.try_out(opened)
    for text, style in screen.lines(opened, tried, _standings(places, arguments), safe=arguments.safe):
        console.line(text, style=style)
    stopped = tried.stopped if tried else None
    if not arguments.safe:
        for text, style in screen.onward(opened.places.base, stopped.gap if stopped else ""):
            console.line(text, style=style)
    console.result({
        "student": opened.sent.student, "engine": opened.sent.engine, "folder": str(opened.places.base),
        "ran": tried is not None, "stopped": stopped.name if stopped else "", "reason": stopped.reason if stopped else "",
        "gap": stopped.gap if stopped else "",
    })  # fmt: skip
    return 0


def _standings(places: Places, arguments: argparse.Namespace) -> "Sequence[Standing]":
    """The class, where it was graded here; nothing is made for it."""
    path = Path(arguments.ledger) if arguments.ledger else places.state / "class" / "ledger.sqlite"
    if not path.exists():
        return ()
    from labkit.classroom.ledger import Ledger

    with Ledger(path) as ledger:
        return Classroom(places, ledger).standings()


def _inside(places: Places, arguments: argparse.Namespace) -> int:
    """The same command line once more, whose work and state are there."""
    from labkit.cli.main import main
    from labkit.lesson.assisting import opening

    if not arguments.words:
        raise UsageError(
            "What is to be done in it?", hint=f"For example:  ./lab ta in {printable(arguments.who)} wire"
        )
    place, before = opening.find(places, arguments.who), os.environ.get("LAB_BASE")
    os.environ["LAB_BASE"] = str(place)
    try:
        return main(arguments.words)
    finally:
        if before is None:
            del os.environ["LAB_BASE"]
        else:
            os.environ["LAB_BASE"] = before


def _listed(places: Places, console: Console) -> int:
    from labkit.lesson.assisting import opening

    names = [path.name for path in opening.opened(places)]
    for name in names:
        console.line(f"  {printable(name)}")
    console.line(
        f"{len(names)} are open." if names else "Nothing is open:  ./lab ta open ZIP", style="strong"
    )
    console.result({"open": names})
    return 0


def _close(places: Places, who: str, console: Console) -> int:
    from labkit.lesson.assisting import opening

    place = opening.find(places, who)
    opening.close(place)
    console.line(f"✓ {printable(place.name)} is closed; nothing of it is left.", style="good")
    console.result({"closed": place.name})
    return 0
