"""The commands with which a student looks things up: hint, gap, what, card, diff, reset, skip.

What belongs here: the command line of these. What does not: what stands (labkit.cli.looking_inside), work. Printing
goes through the console that labkit.cli.main opened.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import banner
from labkit.base.text import wrapped
from labkit.cli import keeping_up, looking_inside, step_options
from labkit.cli.console import Console
from labkit.lesson.model import Options

if TYPE_CHECKING:
    from labkit.course.course import Course
    from labkit.lesson.context import Context
    from labkit.lesson.help.trouble import Given, Stuck

MakeContext = Callable[[Console, Options], "Context"]
Run = Callable[["Context", argparse.Namespace, Console], int]
Add = Callable[..., argparse.ArgumentParser]


def register(commands: Any, common: Callable[[argparse.ArgumentParser], None], make: MakeContext) -> None:
    """Add the commands of this module to the command line."""

    def add(name: str, text: str, run: Run, *, looks: bool = True) -> argparse.ArgumentParser:
        """`looks`: whether it is about what is deployed somewhere, or to be; then its screen begins with where."""

        def command(arguments: argparse.Namespace, console: Console) -> int:
            context = make(console, step_options.place(arguments))
            if looks:
                console.event(banner(_typed(name, arguments), context.target_words))
            return run(context, arguments, console)

        parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
        common(parser)
        parser.set_defaults(command=command)
        return parser

    _register_looking_up(add)
    looking_inside.register(add)
    keeping_up.register(add)


def _typed(name: str, arguments: argparse.Namespace) -> str:
    """What a screen is about, as it was typed: "Gap server-door"."""
    words = [getattr(arguments, each, None) for each in ("gap", "term", "resource", "place")]
    flat = [word if isinstance(word, str) else " ".join(word) for word in words if word]
    return " ".join([name.capitalize(), *flat])


# ---- Looking up ---------------------------------------------------------------------------------------


def _register_looking_up(add: Add) -> None:
    for name, text, run in (
        ("hint", "a hint for the check that fails now", _hint),
        ("gap", "your gaps, or one gap's task", _gap),
    ):
        parser = add(name, text, run)
        parser.add_argument("gap", nargs="?")
        parser.add_argument(
            "--engine",
            choices=["cloudformation", "terraform"],
            help="of this engine's files (default: yours)",
        )
    add(
        "what",
        "what a word means, with your own value; the properties of a type: AWS::S3::Bucket, aws_s3_bucket",
        _what,
    ).add_argument("term", nargs="*")
    add("card", "a resource on one card", _card).add_argument("resource", nargs="?")
    add("diff", "what you changed", _diff).add_argument("gap", nargs="?")
    add("reset", "begin a gap anew; your text is kept beside", _reset).add_argument("gap")
    skip = add("skip", "stuck for good: the reference stands in for a gap, its points are gone", _skip)
    skip.add_argument("gap")
    skip.add_argument(
        "--code", default="", help="what your instructor sent, where no reference is in this copy"
    )


def _hint(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import course
    from labkit.lesson.help.texts import Texts, fill, own_values
    from labkit.lesson.help.trouble import Trouble

    chosen = course.load(context.manifest)
    trouble = Trouble(context.workspace, tier3_minutes=chosen.tier3_after, tiers=chosen.hint_tiers)
    stuck = trouble.stuck()
    if stuck is None and not arguments.gap:
        console.line("Nothing fails now. After a check that fails there is a hint for it here.")
        console.line("For a gap of your choice:  ./lab hint GAP      The gaps:  ./lab gap")
        return 0
    name, symptom = _stuck_at(context, arguments.gap, stuck)
    hint = Texts(context.manifest).hint(name, symptom)
    if hint is None:
        raise _no_hint(context, name, stuck)
    given = trouble.give(hint, stuck)
    console.line(
        f"Hint {given.tier} of {chosen.hint_tiers}{f' for the gap {name}' if name else ''}", style="strong"
    )
    for line in wrapped(fill(given.text, own_values(context))):
        console.line(line)
    for line in _after_a_hint(given, trouble.given(), chosen, arguments.gap or ""):
        console.line(line, style="dim")
    console.result({"gap": name, "symptom": symptom, "tier": given.tier, "text": given.text})
    return 0


def _no_hint(context: "Context", name: str, stuck: "Stuck | None") -> UsageError:
    """Where there is no hint, the step's own last line says what to do."""
    from labkit.lesson.engine import find_step

    step = find_step(context, stuck.step).name if stuck else "wire"
    return UsageError(
        f"There is no hint for this: {stuck.reason or stuck.check if stuck else name}.",
        hint=f"The last line of its step says what to do:  ./lab {step}",
    )


def _after_a_hint(given: "Given", so_far: int, chosen: "Course", asked: str) -> Iterator[str]:
    """When the next one comes, and what they cost."""
    if given.waiting:
        yield given.waiting
    elif given.tier < chosen.hint_tiers:
        yield f"Not enough?  ./lab hint {asked}".rstrip()
    price = f"each costs {chosen.hint_cost:g} points" if chosen.hint_cost else "free"
    yield f"Hints so far: {so_far}. They are counted, and {price}."


def _stuck_at(context: "Context", asked: str | None, stuck: "Stuck | None") -> tuple[str, str]:
    """Gap and symptom of the hint that is wanted: the gap asked for, else what fails now."""
    from labkit.course import gaps

    name = gaps.find(context.manifest, asked).name if asked else stuck.gap if stuck else ""
    return name, stuck.symptom if stuck and stuck.gap == name else ""


def _gap(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.help import tasks

    if arguments.gap:
        lines, data = tasks.task(context, arguments.gap)
    else:
        lines, data = tasks.overview(context)
    for text, style in lines:
        console.line(text, style=style)
    console.result(data)
    return 0


def _what(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.help import arguments as terraform
    from labkit.lesson.help import properties
    from labkit.lesson.help.texts import Texts, fill, own_values

    asked = arguments.term[0] if arguments.term else ""
    if properties.is_asked_for(asked) or terraform.is_asked_for(asked):
        of_terraform = terraform.is_asked_for(asked)
        lines = terraform.card(context, asked) if of_terraform else properties.card(asked, context.region)
        for text, style in lines:
            console.line(text, style=style)
        console.result({"term": arguments.term[0], "lines": [text for text, _ in lines]})
        return 0
    texts = Texts(context.manifest)
    if not arguments.term:
        for line in wrapped(", ".join(sorted((t.name for t in texts.terms), key=str.lower))):
            console.line(line)
        console.line("One of them:  ./lab what WORD", style="dim")
        return 0
    term = texts.term(" ".join(arguments.term))
    values = own_values(context)
    console.line(term.name, style="strong")
    own = fill(term.own, values)
    own = own and ("Yours is known once it is deployed." if "<" in own else f"Yours: {own}")
    for label, text in (("", term.says), ("", own), ("Not the same: ", term.unlike)):
        for line in wrapped(label + fill(text, values)) if text else ():
            console.line(line)
    console.result({"term": term.name, "says": term.says, "own": fill(term.own, values)})
    return 0


def _card(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.help.texts import Texts, fill, own_values

    texts = Texts(context.manifest)
    if not arguments.resource:
        for line in wrapped(", ".join(card.name for card in texts.cards)):
            console.line(line)
        console.line("One of them:  ./lab card NAME", style="dim")
        return 0
    card, values = texts.card(arguments.resource), own_values(context)
    console.line(card.name, style="strong")
    for label, text in (("Terraform       ", card.terraform), ("CloudFormation  ", card.cloudformation)):
        if text:
            console.line(f"  {label}{text}" if len(text) < 60 else f"  {label.strip()}")
            for line in wrapped(text, 74) if len(text) >= 60 else ():
                console.line(f"  {line}")
    for line in wrapped(fill(card.says, values)):
        console.line(line)
    width = max(len(name) for name in card.arguments)
    for name, text in card.arguments.items():
        first, *rest = wrapped(fill(text, values), 74 - width)
        console.line(f"  {name:<{width}}  {first.strip()}")
        for line in rest:
            console.line(f"  {'':<{width}}  {line.strip()}")
    for kind in re.findall(r"AWS::\w+::\w+", card.cloudformation):
        console.line(f"  All its properties:  ./lab what {kind}", style="dim")
    console.line(f"  {card.document}", style="dim")
    console.result({"card": card.name, "arguments": dict(card.arguments)})
    return 0


def _diff(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.base.text import printable
    from labkit.course import gaps

    workspace = context.workspace
    starter, mine = context.workspaces.starter(workspace), workspace.files()
    if arguments.gap:
        gap = gaps.find(context.manifest, arguments.gap)
        names = set(gap.files.values())
        starter, mine = ({n: d for n, d in files.items() if n in names} for files in (starter, mine))
    lines = list(gaps.differences(starter, mine))
    for line in lines:
        style = {"+": "good", "-": "warn", "@": "dim"}.get(line[:1], "")
        console.line(printable(line), style=style)
    newer = context.workspaces.newer_templates(workspace)
    for name in newer:
        console.line(
            f"! templates/ has another text for {name} than when your file was made from it: some of this is not your change.",
            style="warn",
        )
    if newer:
        console.line(
            "  To put templates/ back: unpack the kit again beside this folder and copy it, or, with git:"
        )
        console.line("    git checkout -- templates")
    if not lines:
        console.line("Nothing: your files are as they were given to you.")
    console.result({"lines": lines})
    return 0


def _reset(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import gaps

    gap = gaps.find(context.manifest, arguments.gap)
    workspace = context.workspace
    changed = gaps.reset(gap, workspace.files(), context.workspaces.starter(workspace))
    backups = {name: workspace.write(name, data) for name, data in changed.items()}
    for name, backup in backups.items():
        console.line(f"✓ {name}: the gap {gap.name!r} is as at the beginning.", style="good")
        console.line(f"  Your text is kept in {backup}.")
    if not changed:
        console.line(f"The gap {gap.name!r} is as at the beginning already.")
    console.line(f"Write it, then:  ./lab {'plan' if gap.step == '02' else 'deploy'}", style="strong")
    console.result({"gap": gap.name, "backups": backups})
    return 0


def _skip(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import gaps
    from labkit.lesson import skipping

    gap = gaps.find(context.manifest, arguments.gap)
    backups = skipping.skip(context, gap, arguments.code)
    console.line(
        f"✓ The reference stands in for {gap.name}; its points are gone, the rest goes on.", style="good"
    )
    for name, backup in backups.items():
        console.line(f"  {name} is changed; your text is kept in {backup}.")
    console.line(f"Read it:  ./lab diff {gap.name}     then:  ./lab deploy", style="strong")
    console.result({"gap": gap.name, "backups": backups})
    return 0
