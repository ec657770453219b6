"""The commands with which a student looks things up: hint, gap, what, card, diff, reset, shell, open.

What belongs here: the command line of these, and watching a step's files. What does not: work. Printing
goes through the console that labkit.cli.main opened.
"""

import argparse
import contextlib
import functools
import os
import re
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import Event, banner
from labkit.cli import step_options
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
    _register_looking_inside(add)
    _register_keeping_up(add)


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
        "what a word means, with your own value; the properties of a type such as AWS::S3::Bucket",
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
    for line in _wrapped(fill(given.text, own_values(context))):
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
    from labkit.lesson.help import properties
    from labkit.lesson.help.texts import Texts, fill, own_values

    if arguments.term and properties.is_asked_for(arguments.term[0]):
        lines = properties.card(arguments.term[0], context.region)
        for text, style in lines:
            console.line(text, style=style)
        console.result({"term": arguments.term[0], "lines": [text for text, _ in lines]})
        return 0
    texts = Texts(context.manifest)
    if not arguments.term:
        for line in _wrapped(", ".join(sorted((t.name for t in texts.terms), key=str.lower))):
            console.line(line)
        console.line("One of them:  ./lab what WORD", style="dim")
        return 0
    term = texts.term(" ".join(arguments.term))
    values = own_values(context)
    console.line(term.name, style="strong")
    label_own = "Yours: " if "<" not in fill(term.own, values) else "Yours, once it is deployed: "
    for label, text in (("", term.says), (label_own, term.own), ("Not the same: ", term.unlike)):
        for line in _wrapped(label + fill(text, values)) if text else ():
            console.line(line)
    console.result({"term": term.name, "says": term.says, "own": fill(term.own, values)})
    return 0


def _card(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.help.texts import Texts, fill, own_values

    texts = Texts(context.manifest)
    if not arguments.resource:
        for line in _wrapped(", ".join(card.name for card in texts.cards)):
            console.line(line)
        console.line("One of them:  ./lab card NAME", style="dim")
        return 0
    card, values = texts.card(arguments.resource), own_values(context)
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


def _unlock(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import gaps
    from labkit.lesson import skipping

    gap = gaps.find(context.manifest, arguments.gap)
    code = skipping.code_for(context, gap, arguments.student)
    console.line(
        f"For {arguments.student} alone, the gap {gap.name}. They type, in one line:", style="strong"
    )
    console.line(f"./lab skip {gap.name} --code {code}")
    console.result({"student": arguments.student, "gap": gap.name, "code": code})
    return 0


def _wrapped(text: str, width: int = 76) -> list[str]:
    lines: list[str] = []
    for part in text.splitlines():
        if part.startswith("    "):
            lines.append("  " + part)
        else:
            wrapped = textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) or [""]
            lines += [f"  {line}" for line in wrapped]
    return lines


# ---- Looking inside -----------------------------------------------------------------------------------


def _register_looking_inside(add: Add) -> None:
    # the shell says itself where it is
    shell = add("shell", "a shell for the local cloud, or inside an instance", _shell, looks=False)
    shell.add_argument(
        "place", nargs="?", metavar="server|INSTANCE", help="your server, or an instance by id or Name"
    )
    shell.add_argument("words", nargs="*", metavar="COMMAND", help="run this instead (after --)")
    _where(shell)
    logs = add("logs", "what an instance or a function said", _logs)
    logs.add_argument(
        "place",
        metavar="server|boot|function|NAME",
        help="your own, or any instance or function by id or name",
    )
    logs.add_argument("--find", metavar="TEXT", help="only lines with this text, for example a request id")
    _where(logs)
    forward = add("forward", "an address of this machine for a port of an instance", _forward)
    forward.add_argument("instance", help="an instance by id or Name")
    forward.add_argument("port", type=int)
    forward.add_argument(
        "--local", type=int, default=0, metavar="PORT", help="the port of this machine (default: the same)"
    )
    page = add("open", "one local page with path, images, rows and logs", _open)
    page.add_argument("--no-browser", action="store_true", help="only say where the page is")
    _where(page)


def _where(parser: argparse.ArgumentParser) -> None:
    for name in ("target", "region"):
        parser.add_argument(f"--{name}", **step_options.OPTIONS[name])


def _shell(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    if arguments.place == "server":
        return _server_shell(context, arguments.words, console)
    if arguments.place:
        return _instance_shell(context, arguments.place, arguments.words, console)
    return local_shell(context, console)


def _instance_shell(context: "Context", name: str, words: list[str], console: Console) -> int:
    from labkit.base.errors import CloudError
    from labkit.cli import terminal
    from labkit.lesson.path import power, things

    instance = things.find(context, name, kinds=("instance",))
    if instance.state != "running":
        raise CloudError(
            f"{instance.name} is {instance.state}: nobody can go in.", hint=power.start(instance.name)
        )
    if not words:
        console.line(f"Inside {instance.name} (local cloud), as root. Leave it with: exit", style="strong")
    return terminal.hand_on(lambda descriptors: context.cloud.run_inside(instance.name, words, descriptors))


def _server_shell(context: "Context", words: list[str], console: Console) -> int:
    from labkit.base.errors import CloudError
    from labkit.cli import terminal
    from labkit.lesson.path import power

    instance, port = context.deployed().outputs["InstanceId"], context.workspace.variant.port
    if (state := power.state_of(context.clients, instance)) != "running":
        raise CloudError(f"Your server {instance} is {state}: nobody can go in.", hint=power.start(instance))
    if not context.place.inside:
        context.place.output_inside(instance, words)  # says why not, and where one can
    if not words:
        console.line(f"Inside your server {instance} (local cloud), as root. Try:", style="strong")
        console.line("  journalctl -u flask-app    systemctl status flask-app")
        console.line(f"  curl localhost:{port}/health")
        console.line("Leave it with: exit")
    return terminal.hand_on(lambda descriptors: context.cloud.run_inside(instance, words, descriptors))


def _default_profile(path: Path, environment: Mapping[str, str]) -> Path:
    """The profile `default` of the shell, as after `aws configure`: labs name it (profile = "default")."""
    from labkit.base import state

    lines = (
        "[default]",
        f"aws_access_key_id = {environment['AWS_ACCESS_KEY_ID']}",
        f"aws_secret_access_key = {environment['AWS_SECRET_ACCESS_KEY']}",
        f"region = {environment['AWS_DEFAULT_REGION']}",
        f"endpoint_url = {environment['AWS_ENDPOINT_URL']}",
    )
    state.write_text(path, "\n".join(lines) + "\n", mode=0o600)
    return path


def _proxied(url: str) -> dict[str, str]:
    """The variables by which programs ask the cloud's proxy; not for this machine, and not where Terraform gets providers."""
    direct = "127.0.0.1,localhost,169.254.169.254,registry.terraform.io,releases.hashicorp.com,registry.opentofu.org,github.com"
    names = {"http_proxy": url, "https_proxy": url, "no_proxy": direct}
    return names | {name.upper(): value for name, value in names.items()}


def local_shell(context: "Context", console: Console) -> int:
    """A shell in which the AWS CLI, boto3, curl and Terraform mean the target, and only that."""
    from labkit.cli import aws_cli, terminal

    target = context.clients.target
    words = context.target_words if context.on_aws else "local cloud"
    around = context.terraform.variables(target)
    path = f"{aws_cli.install(context.places.state / 'bin')}{os.pathsep}{around.get('PATH', os.defpath)}"
    proxied = _proxied(str(context.cloud.ask("GET", "proxy")["url"])) if target.is_local else {}
    environment = {
        **around, "PATH": path, "PS1": f"({words}) $ ", "PROMPT": f"({words}) $ ",
        "LAB_TARGET": words, **proxied, "AWS_PAGER": "",
    }  # fmt: skip
    if target.is_local:
        environment["AWS_CONFIG_FILE"] = str(
            _default_profile(context.places.state / "aws-config", environment)
        )
    meaning = f"mean {words}" if context.on_aws else "mean the local cloud"
    console.line(f"In this shell AWS commands {meaning}. Leave it with: exit", style="strong")
    if context.on_aws:
        console.line("What you create here by hand costs until you delete it.")
    os.chdir(context.places.base)  # where the printed commands' paths begin
    return terminal.shell(environment)


def _logs(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.base.text import printable
    from labkit.lesson.path import logs, things

    if arguments.place == "server" and not context.place.inside:
        console.line(
            "A server's journal is inside it, and from here nobody looks inside a server on AWS.",
            style="warn",
        )
        console.line(
            "In AWS's console: your instance, Connect, Session Manager. The boot log:  ./lab logs boot"
        )
        return 1
    readers: Mapping[str, Callable[..., list[str]]] = {
        "server": logs.server,
        "boot": logs.boot,
        "function": functools.partial(logs.function, times=True),
    }
    if read := readers.get(arguments.place):
        said = read(context, context.deployed().outputs)
    else:
        said = things.said(context, things.find(context, arguments.place))
    lines = [line for line in said if (arguments.find or "") in line]
    for line in lines:
        console.line(printable(line))
    if not lines:
        console.line("No such line." if arguments.find else "Nothing was said yet.")
    console.result({"lines": lines})
    return 0


def _forward(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.cli import forward

    return forward.run(context, arguments, console)


def _open(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.page import serving
    from labkit.lesson.page.site import LabSite

    if context.on_aws:
        raise UsageError(
            "The page asks for all that stands every few seconds: it is for the local cloud.",
            hint="At home:  ./lab open --target local",
        )
    site = LabSite(context)
    with contextlib.closing(site.runner), serving.serve(site) as url:
        console.line(f"Your lab on one page: {url}", style="strong")
        console.line("It shows what stands, by itself, and runs steps at a click. End it with Ctrl-C.")
        if not arguments.no_browser:
            import webbrowser

            webbrowser.open(url)
        console.result({"url": url})
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    console.line("The page is closed. Next:  ./lab")
    return 0


# ---- Keeping up ---------------------------------------------------------------------------------------


def _register_keeping_up(add: Add) -> None:
    add("update", "carry your gaps into the newest templates", _update)
    handout = add("handout", "the hand-out for students (instructors)", _handout, looks=False)
    handout.add_argument("--to", default="dist/hybrid-lab.zip", metavar="FILE")
    unlock = add("unlock", "a code that lets one student skip one gap (instructors)", _unlock, looks=False)
    unlock.add_argument("gap")
    unlock.add_argument("--student", required=True, help="whose gap it is")
    course = add("course", "course.toml: check it", _course, looks=False)
    course.add_argument("action", choices=["check"])
    course.add_argument(
        "--results", metavar="FOLDER", help="say which marks of an earlier grading would move"
    )


def _update(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import updating

    changed = updating.update(context.workspaces, context.workspace)
    for name, backup in changed.items():
        console.line(f"✓ {name} has the newest text round your gaps; the old file is {backup}.", style="good")
    if not changed:
        console.line("✓ Your files have the newest text already.", style="good")
    console.result({"changed": changed})
    return 0


def _handout(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import course
    from labkit.lesson.handing_in import handout
    from labkit.lesson.handing_in.demo import run_demo

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
    from labkit.course import course, course_words

    chosen = course.load(context.manifest)
    sentences = course_words.explain(context.manifest, chosen)
    marks: dict[str, float | None] = {}
    if arguments.results:
        from labkit.classroom import counting

        results = Path(arguments.results)
        sentences.append(counting.moved(context.manifest, chosen, results))
        marks = {
            name: mark.final for name, mark in counting.given(context.manifest, chosen, results)[0].items()
        }
    for sentence in sentences:
        for line in _wrapped(sentence):
            console.line(line)
    console.result({"sentences": sentences, "marks": marks})
    return 0


def watch(make: Callable[[], "Context"], console: Console, number: str) -> int:
    """Run the step, then again, after deploying, whenever one of the student's files is saved."""
    from labkit.lesson.watching import saves

    console.line("Watching your files. Save one to check again; end with Ctrl-C.", style="strong")
    with contextlib.suppress(KeyboardInterrupt):
        for names in saves(make().workspace):
            if names:
                console.line(f"Saved: {', '.join(names)}", style="strong")
            _once(make(), console, number, deploy=bool(names))
    console.line("Watching has ended. Next:  ./lab", style="strong")
    return 0


def _once(context: "Context", console: Console, number: str, *, deploy: bool) -> None:
    from labkit.base.errors import LabError
    from labkit.lesson import progress
    from labkit.lesson.engine import find_step, module_of, run_step

    try:
        looks = module_of(find_step(context, number).name).JUDGES == "deployed"
        if deploy and looks and not run_step(context, "deploy").passed:
            return
        result = run_step(context, number)
    except LabError as error:
        console.error(error)
        return
    failed = next((check for check in result.checks if not check.passed), None)
    if failed:
        console.hint(failed.hint)
        return
    console.line("✓ Every check holds.", style="good")
    for step in progress.following(context, find_step(context, number)):
        console.line(f"{'Optional' if step.optional else 'Next'}:  ./lab {step.name}", style="strong")
