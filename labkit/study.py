"""The commands with which a student looks things up: hint, gap, what, card, diff, reset, shell, open.

What belongs here: the command line of these, and of what all steps share. What does not: work. Printing
goes through the console that labkit.cli opened.
"""

import argparse
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.console import Console
from labkit.errors import UsageError
from labkit.events import Event

if TYPE_CHECKING:
    from labkit.lesson.context import Context
    from labkit.lesson.trouble import Stuck

MakeContext = Callable[[Console], "Context"]
Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"
_EXTRA = (
    "predict",
    "hop",
    "evidence",
    "undo",
    "fault",
    "attack",
    "rate",
    "seconds",
    "clients",
    "expect",
    "cold",
    "like",
    "seed",
    "compare",
)


def step_options(parser: argparse.ArgumentParser) -> None:
    """Options of single steps; each step takes its own from Options.extra."""
    parser.add_argument(
        "--watch", action="store_true", help="deploy and check again whenever a file is saved"
    )
    one = parser.add_argument_group("step 01")
    one.add_argument("--predict", metavar="HOP", help="which hop will fail first? kept until step 04")
    six = parser.add_argument_group("step 06")
    six.add_argument("--hop", help="the hop at which the fault stops the packet")
    six.add_argument("--evidence", help="one log line, rule, id or command that shows it")
    six.add_argument("--undo", action="store_true", help="take the fault back (no points for its repair)")
    six.add_argument("--attack", metavar="ANSWERS", help="your eight predictions, for example nnnnynnn")
    six.add_argument("--fault", help=argparse.SUPPRESS)
    seven = parser.add_argument_group("step 07")
    seven.add_argument("--rate", type=float, metavar="N", help="images a second (1)")
    seven.add_argument("--seconds", type=float, metavar="S", help="for so long (30; the classic is 300)")
    seven.add_argument("--clients", type=int, metavar="N", help="so many at once, instead of a rate")
    seven.add_argument("--expect", type=float, metavar="MS", help="your prediction of the median")
    seven.add_argument("--cold", action="store_true", help="each image meets a cold start (one at a time)")
    seven.add_argument(
        "--like", metavar="AWS", choices=["AWS"], help="with declared delays, as far away as AWS is"
    )
    seven.add_argument("--seed", type=int, metavar="N", help="draws other delays (default: your own)")
    both = parser.add_argument_group("steps 07 and 08")
    both.add_argument(
        "--compare", metavar="FILE", help="another run, for example one on AWS, to lay beside yours"
    )


def extra(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """What was given of the options of single steps."""
    given = {name: getattr(arguments, name, None) for name in _EXTRA}
    return {name: value for name, value in given.items() if value not in (None, False)}


def register(commands: Any, common: Callable[[argparse.ArgumentParser], None], make: MakeContext) -> None:
    """Add the commands of this module to the command line."""

    def add(name: str, text: str, run: Callable[["Context", argparse.Namespace, Console], int]) -> Any:
        parser = commands.add_parser(name, help=text)
        common(parser)
        parser.set_defaults(command=lambda arguments, console: run(make(console), arguments, console))
        return parser

    add("hint", "a hint for the check that fails now", _hint).add_argument("gap", nargs="?")
    add("gap", "your gaps, or one gap's task", _gap).add_argument("gap", nargs="?")
    add("what", "what a word means, with your own value", _what).add_argument("term", nargs="*")
    add("card", "a resource on one card", _card).add_argument("resource", nargs="?")
    add("diff", "what you changed", _diff).add_argument("gap", nargs="?")
    add("reset", "begin a gap anew; your text is kept beside", _reset).add_argument("gap")
    shell = add("shell", "a shell for the local cloud, or inside your server", _shell)
    shell.add_argument("place", nargs="?", choices=["server"])
    shell.add_argument("words", nargs="*", metavar="COMMAND", help="run this instead (after --)")
    logs = add("logs", "what your server or your function said", _logs)
    logs.add_argument("place", choices=["server", "boot", "function"])
    logs.add_argument("--find", metavar="TEXT", help="only lines with this text, for example a request id")
    page = add("open", "one local page with path, images, rows and logs", _open)
    page.add_argument("--no-browser", action="store_true", help="only say where the page is")
    add("update", "carry your gaps into the newest templates", _update)
    handout = add("handout", "the hand-out for students (instructors)", _handout)
    handout.add_argument("--to", default="dist/hybrid-lab.zip", metavar="FILE")
    course = add("course", "course.toml: check it", _course)
    course.add_argument("action", choices=["check"])
    course.add_argument(
        "--results", metavar="FOLDER", help="say which marks of an earlier grading would move"
    )


# ---- Looking up ---------------------------------------------------------------------------------------


def _hint(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import course
    from labkit.lesson.texts import Texts, fill
    from labkit.lesson.trouble import Trouble

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
        reason = stuck.reason if stuck else ""
        raise UsageError(
            f"There is no hint for this: {reason or name or 'the failing check'}.",
            hint="Read the lines above the ✗ once more, then look inside:  ./lab wire   ./lab logs server",
        )
    given = trouble.give(hint, stuck)
    console.line(
        f"Hint {given.tier} of {chosen.hint_tiers}{f' for the gap {name}' if name else ''}", style="strong"
    )
    for line in _wrapped(fill(given.text, _values(context))):
        console.line(line)
    if given.waiting:
        console.line(given.waiting, style="dim")
    elif given.tier < chosen.hint_tiers:
        console.line("Not enough?  ./lab hint", style="dim")
    price = f"each costs {chosen.hint_cost:g} points" if chosen.hint_cost else "free"
    console.line(f"Hints so far: {trouble.given()}. They are counted, and {price}.", style="dim")
    console.result({"gap": name, "symptom": symptom, "tier": given.tier, "text": given.text})
    return 0


def _stuck_at(context: "Context", asked: str | None, stuck: "Stuck | None") -> tuple[str, str]:
    """Gap and symptom of the hint that is wanted: the gap asked for, else what fails now."""
    from labkit.lesson import gaps

    name = gaps.find(context.manifest, asked).name if asked else stuck.gap if stuck else ""
    return name, stuck.symptom if stuck and stuck.gap == name else ""


def _gap(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import tasks

    if arguments.gap:
        lines, data = tasks.task(context, arguments.gap)
    else:
        lines, data = tasks.overview(context)
    for text, style in lines:
        console.line(text, style=style)
    console.result(data)
    return 0


def _what(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.texts import Texts, fill

    texts = Texts(context.manifest)
    if not arguments.term:
        for line in _wrapped(", ".join(sorted((t.name for t in texts.terms), key=str.lower))):
            console.line(line)
        return 0
    term = texts.term(" ".join(arguments.term))
    values = _values(context)
    console.line(term.name, style="strong")
    for label, text in (("", term.says), ("Yours: ", term.own), ("Not the same: ", term.unlike)):
        for line in _wrapped(label + fill(text, values)) if text else ():
            console.line(line)
    console.result({"term": term.name, "says": term.says, "own": fill(term.own, values)})
    return 0


def _card(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.texts import Texts, fill

    texts = Texts(context.manifest)
    if not arguments.resource:
        for line in _wrapped(", ".join(card.name for card in texts.cards)):
            console.line(line)
        return 0
    card, values = texts.card(arguments.resource), _values(context)
    console.line(card.name, style="strong")
    for label, text in (("Terraform       ", card.terraform), ("CloudFormation  ", card.cloudformation)):
        if text:
            console.line(f"  {label}{text}" if len(text) < 60 else f"  {label.strip()}")
            for line in _wrapped(text, 74) if len(text) >= 60 else ():
                console.line(f"  {line}")
    for line in _wrapped(fill(card.says, values)):
        console.line(line)
    width = max(len(name) for name in card.arguments)
    for name, text in card.arguments.items():
        first, *rest = _wrapped(fill(text, values), 74 - width)
        console.line(f"  {name:<{width}}  {first.strip()}")
        for line in rest:
            console.line(f"  {'':<{width}}  {line.strip()}")
    console.line(f"  {card.document}", style="dim")
    console.result({"card": card.name, "arguments": dict(card.arguments)})
    return 0


def _diff(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import gaps
    from labkit.text import printable

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
    if not lines:
        console.line("Nothing: your files are as they were given to you.")
    console.result({"lines": lines})
    return 0


def _reset(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import gaps

    gap = gaps.find(context.manifest, arguments.gap)
    workspace = context.workspace
    changed = gaps.reset(gap, workspace.files(), context.workspaces.starter(workspace))
    backups = {name: workspace.write(name, data) for name, data in changed.items()}
    for name, backup in backups.items():
        console.line(f"✓ {name}: the gap {gap.name} is as at the beginning.", style="good")
        console.line(f"  Your text is kept in {backup}.")
    if not changed:
        console.line(f"The gap {gap.name} is as at the beginning already.")
    console.result({"gap": gap.name, "backups": backups})
    return 0


def _values(context: "Context") -> dict[str, str]:
    """The student's own values; examples where there is no workspace yet."""
    from labkit.errors import WorkspaceError
    from labkit.variant import make_variant

    try:
        workspace = context.workspace
    except WorkspaceError:
        return dict(make_variant(context.manifest.salt, "ada@uni.edu").values())
    outputs = dict(workspace.record.deployed.get("outputs", {}))
    return {**workspace.variant.values(), **{_snake(name): value for name, value in outputs.items()}}


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _wrapped(text: str, width: int = 76) -> list[str]:
    import textwrap

    lines: list[str] = []
    for part in text.splitlines():
        if part.startswith("    "):
            lines.append("  " + part)
        else:
            wrapped = textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) or [""]
            lines += [f"  {line}" for line in wrapped]
    return lines


# ---- Looking inside -----------------------------------------------------------------------------------


def _shell(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    if arguments.place == "server":
        return _server_shell(context, arguments.words, console)
    return local_shell(context, console)


def _server_shell(context: "Context", words: list[str], console: Console) -> int:
    from labkit import terminal

    instance, port = context.deployed().outputs["InstanceId"], context.workspace.variant.port
    if not words:
        console.line(f"Inside your server {instance} (local cloud), as root. Try:", style="strong")
        console.line("  journalctl -u flask-app    systemctl status flask-app")
        console.line(f"  curl localhost:{port}/health")
        console.line("Leave it with: exit")
    return terminal.hand_on(lambda descriptors: context.cloud.run_inside(instance, words, descriptors))


def local_shell(context: "Context", console: Console) -> int:
    """A shell in which the AWS CLI, boto3, curl and Terraform mean the local cloud, and only that."""
    from labkit import aws_cli, terminal

    target = context.clients.target
    loopback = "127.0.0.1,localhost,169.254.169.254"
    around = context.terraform.variables(target)
    path = f"{aws_cli.install(context.places.state / 'bin')}{os.pathsep}{around.get('PATH', os.defpath)}"
    environment = {
        **around, "PATH": path, "PS1": "(local cloud) $ ", "PROMPT": "(local cloud) $ ",
        "LAB_TARGET": "local cloud", "NO_PROXY": loopback, "no_proxy": loopback, "AWS_PAGER": "",
    }  # fmt: skip
    console.line("In this shell AWS commands mean the local cloud. Leave it with: exit", style="strong")
    os.chdir(context.places.base)  # where the printed commands' paths begin
    return terminal.shell(environment)


def _logs(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import logs
    from labkit.text import printable

    outputs = context.deployed().outputs
    read = {"server": logs.server, "boot": logs.boot, "function": logs.function}[arguments.place]
    lines = [line for line in read(context, outputs) if (arguments.find or "") in line]
    for line in lines:
        console.line(printable(line))
    if not lines:
        console.line("No such line." if arguments.find else "Nothing was said yet.")
    console.result({"lines": lines})
    return 0


def _open(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import page

    _ = context.workspace  # refuses now, on the terminal, and not later in the browser
    with page.serve(context) as url:
        console.line(f"Your lab on one page: {url}", style="strong")
        console.line("It shows what stands now; reload it to look again. End it with Ctrl-C.")
        if not arguments.no_browser:
            import webbrowser

            webbrowser.open(url)
        console.result({"url": url})
        signal.pause()
    return 0


# ---- Keeping up ---------------------------------------------------------------------------------------


def _update(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import updating

    changed = updating.update(context.workspaces, context.workspace)
    for name, backup in changed.items():
        console.line(f"✓ {name} has the newest text round your gaps; the old file is {backup}.", style="good")
    if not changed:
        console.line("✓ Your files have the newest text already.", style="good")
    console.result({"changed": changed})
    return 0


def _handout(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import course, handout
    from labkit.lesson.demo import run_demo

    events: list[Event] = []
    console.line("The whole lab runs once, for the recorded demo …")
    if not run_demo(context.places, context.manifest, events.append):
        raise UsageError("The demo did not go through.", hint="See why:  ./lab demo")
    files = handout.content(context.manifest, course.load(context.manifest), events)
    handout.write(Path(arguments.to), files)
    console.line(f"✓ {arguments.to}: {len(files)} files, no solution words in any of them.", style="good")
    console.result({"file": arguments.to, "files": sorted(files)})
    return 0


def _course(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import course, course_words

    chosen = course.load(context.manifest)
    sentences = course_words.explain(context.manifest, chosen)
    marks: dict[str, float] = {}
    if arguments.results:
        sentences.append(course_words.moved(context.manifest, chosen, Path(arguments.results)))
        marks = course_words.marks(context.manifest, chosen, Path(arguments.results))
    for sentence in sentences:
        for line in _wrapped(sentence):
            console.line(line)
    console.result({"sentences": sentences, "marks": marks})
    return 0


def watch(make: Callable[[], "Context"], console: Console, number: str) -> int:
    """Run the step, then again, after deploying, whenever one of the student's files is saved."""
    from labkit.lesson.watching import saves

    console.line("Watching your files. Save one to check again; end with Ctrl-C.", style="strong")
    for names in saves(make().workspace):
        if names:
            console.line(f"Saved: {', '.join(names)}", style="strong")
        _once(make(), console, number, deploy=bool(names))
    return 0


def _once(context: "Context", console: Console, number: str, *, deploy: bool) -> None:
    from labkit.errors import LabError
    from labkit.lesson.engine import find_step, run_step

    try:
        later = find_step(context, number).number > "03"
        if deploy and later and not run_step(context, "03").passed:
            return
        result = run_step(context, number)
    except LabError as error:
        console.error(error)
        return
    failed = next((check for check in result.checks if not check.passed), None)
    console.line(f"→ {failed.hint}" if failed else "✓ Every check holds.", style="strong")
