"""The commands `lab dev …`: for those who maintain the kit.

What belongs here: their command line and how their results are shown. What does not: work (labkit.dev.mutants).
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import Event, banner
from labkit.cli.console import Console
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.dev.mutants.model import Mutant
    from labkit.dev.mutants.verdicts import Kind, Outcome

SEED = 11
_STYLES: Mapping["Kind", str] = {"killed": "dim", "allowed": "dim", "survived": "bad", "not judged": "bad"}


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the commands of this module to the command line."""
    parser = commands.add_parser("dev", help="what proves the kit itself (maintainers)")
    common(parser)
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    mutants = parsers.add_parser(
        "mutants", help="grade mutants of the reference solution, list those that lose nothing"
    )
    common(mutants)
    mutants.add_argument("--sample", type=int, default=20, metavar="N", help="how many (default: 20; 0: all)")
    mutants.add_argument("--seed", type=int, default=SEED, help=f"which ones (default: {SEED})")
    mutants.add_argument(
        "--engine", choices=["cloudformation", "terraform"], help="those graded with this engine only"
    )
    mutants.add_argument(
        "--operator", action="append", default=[], metavar="NAME", help="of this operator only"
    )
    mutants.add_argument("--file", action="append", default=[], metavar="NAME", help="of this file only")
    mutants.add_argument("--id", action="append", default=[], help="this mutant only")
    mutants.add_argument(
        "--line", action="append", default=[], metavar="LINE", help="judge this line of the rubric only"
    )
    mutants.add_argument("--jobs", type=int, default=4, metavar="N", help="gradings at once (default: 4)")
    mutants.add_argument(
        "--first-loss", action="store_true", help="end a grading as soon as a line has lost points"
    )
    mutants.add_argument("--list", action="store_true", help="show which there are, grade nothing")
    mutants.set_defaults(command=lambda arguments, console: _mutants(arguments, console, places()))
    emulated = parsers.add_parser(
        "emulated", help="write docs/emulated.md anew: what the local cloud emulates"
    )
    common(emulated)
    emulated.set_defaults(command=lambda arguments, console: _emulated(console, places()))
    allowed = parsers.add_parser(
        "allowances", help="write docs/aws-policy.json anew, of rehearsals' needed.json"
    )
    common(allowed)
    allowed.add_argument(
        "records", nargs="+", metavar="FILE", help="of a rehearsal with each engine, --account full"
    )
    allowed.set_defaults(command=lambda arguments, console: _allowances(arguments, console, places()))
    access = parsers.add_parser(
        "access", help="write docs/aws-instructor-*.json anew, of what live grading reads"
    )
    common(access)
    access.set_defaults(command=lambda arguments, console: _access(console, places()))


def _access(console: Console, places: Places) -> int:
    from labkit.base import state
    from labkit.live import access

    docs = places.root / "docs"
    state.write_text(docs / "aws-instructor-role.json", access.template())
    state.write_text(docs / "aws-instructor-policy.json", access.policy_text())
    console.line("docs/aws-instructor-role.json and docs/aws-instructor-policy.json are written.")
    return 0


def _allowances(arguments: argparse.Namespace, console: Console, places: Places) -> int:
    from labkit.base import state
    from labkit.dev.allowances import template

    records = [json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments.records]
    needed = {(str(action), str(resource)) for record in records for action, resource in record}
    state.write_text(places.root / "docs" / "aws-policy.json", template(needed))
    console.line("docs/aws-policy.json is written.")
    return 0


def _emulated(console: Console, places: Places) -> int:
    from labkit.dev import emulation

    path = places.root / "docs" / "emulated.md"
    path.write_text(emulation.document(), encoding="utf-8")
    console.event(Event("done", f"{path} is written."))
    console.result({"path": str(path)})
    return 0


def _mutants(arguments: argparse.Namespace, console: Console, places: Places) -> int:
    """Grade a sample; 1 when a mutant survives without a reason or is not judged."""
    from labkit.dev.mutants import allowed, grading, verdicts
    from labkit.dev.mutants.catalogue import mutants_of

    files = grading.submission(places.root)
    chosen = _chosen(arguments, mutants_of(files))
    if arguments.list:
        return _listed(chosen, console)
    console.event(banner(f"Mutants: {len(chosen)}, seed {arguments.seed}", "local clouds of their own"))
    gradings = grading.Gradings(
        places.root,
        places.state / "dev" / "mutants",
        files,
        lines=_lines(arguments.line, places),
        until_first_loss=arguments.first_loss,
    )
    entries = allowed.load()
    outcomes = []
    for mutant, graded in gradings.each(chosen, arguments.jobs):
        outcomes.append(verdicts.outcome_of(mutant, graded, entries))
        _show(outcomes[-1], files, console)
        console.event(Event("progress", "graded", {"done": len(outcomes), "total": len(chosen)}))
    counts = Counter(outcome.kind for outcome in outcomes)
    console.line(", ".join(f"{counts[kind]} {kind}" for kind in _STYLES), style="strong")
    console.result(
        {"seed": arguments.seed, "counts": counts, "mutants": [_as_json(each) for each in outcomes]}
    )
    return 1 if verdicts.defects(outcomes) else 0


def _lines(wanted: Sequence[str], places: Places) -> Sequence[str]:
    """The lines asked for. Raises UsageError for one that there is not."""
    from labkit.course import rubric

    known = [line.id for line in rubric.load(places.root).lines]
    if unknown := set(wanted) - set(known):
        raise UsageError(f"There is no line {sorted(unknown)[0]}.", hint=f"The lines are: {', '.join(known)}")
    return wanted


def _chosen(arguments: argparse.Namespace, mutants: Sequence["Mutant"]) -> Sequence["Mutant"]:
    """The mutants asked for. Raises UsageError when there are none."""
    from labkit.dev.mutants.sampling import sample

    wanted = [
        mutant
        for mutant in mutants
        if (not arguments.engine or mutant.engine == arguments.engine)
        and (not arguments.operator or mutant.operator in arguments.operator)
        and (not arguments.file or mutant.file in arguments.file)
        and (not arguments.id or mutant.id in arguments.id)
    ]
    if not wanted:
        raise UsageError("There are no such mutants.", hint="./lab dev mutants --list --sample 0")
    return (
        sample(wanted, arguments.sample, arguments.seed) if arguments.sample and not arguments.id else wanted
    )


def _listed(mutants: Sequence["Mutant"], console: Console) -> int:
    for mutant in mutants:
        console.line(mutant.id)
    console.line(f"{len(mutants)} mutants", style="strong")
    console.result({"mutants": [mutant.id for mutant in mutants]})
    return 0


def _show(outcome: "Outcome", files: dict[str, str], console: Console) -> None:
    """What became of a mutant; of one that shows a fault its change and the reasons as well."""
    graded, style = outcome.graded, _STYLES[outcome.kind]
    lost = ", ".join(f"{name} {points:g}" for name, points in graded.lost.items())
    console.line(f"{outcome.kind:<10} {outcome.mutant.id}  {lost or outcome.why}", style=style)
    if style == "bad":
        for line in outcome.mutant.diff(files):
            console.line(f"    {line}")
        for name, reason in graded.not_judged.items():
            console.line(f"    not judged: {name}: {reason}", style="warn")


def _as_json(outcome: "Outcome") -> dict[str, object]:
    return {"id": outcome.mutant.id, "kind": outcome.kind, "why": outcome.why, **asdict(outcome.graded)}
