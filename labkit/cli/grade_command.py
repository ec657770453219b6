"""The command `lab grade`: its options, its progress, where its reports go.

What belongs here: the command line of grading. What does not: grading (labkit.grading), printing by itself (the
console that labkit.cli.main opened does).
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import Event, banner
from labkit.cli.console import Console
from labkit.cli.step_options import ON_AWS
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.course.workspace import Workspace
    from labkit.grading.grade import Request
    from labkit.grading.intake.identity import Settled
    from labkit.grading.model import Result

#: graded: the mark is in the result. Something was not judged: try again (sysexits' EX_TEMPFAIL). All that was not
#: judged uses what only AWS has: a person must look (EX_UNAVAILABLE)
GRADED, NOT_JUDGED, NOT_EMULATED = 0, 75, 69
KEY_VARIABLE = "LAB_GRADER_KEY_FILE"
_STEP = "grade"


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("grade", help="step 09: see what your lab is worth, line by line")
    common(parser)
    options(parser)
    parser.set_defaults(command=lambda arguments, console: run(arguments, console, places()))


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("submission", nargs="?", help="a zip or folder (default: your own files)")
    parser.add_argument("--student", help="whose it is (default: as the pack says, or the current one)")
    parser.add_argument("--solution", action="store_true", help="the reference solution (instructors)")
    parser.add_argument("--engine", choices=["cloudformation", "terraform"], default=None)
    parser.add_argument(
        "--anyway", action="store_true", help="believe --student and --engine where the pack says otherwise"
    )
    parser.add_argument(
        "--target",
        choices=["fresh", "deployed", *ON_AWS],
        default="fresh",
        help="fresh: deploy into an empty cloud, for the mark; deployed: what stands in the local cloud now; "
        "aws, learner-lab: read what stands there, no mark",
    )
    parser.add_argument("--region", metavar="NAME", help="of AWS (default: where your lab stands)")
    parser.add_argument(
        "--role", metavar="ARN", help="read as this role of the student's account (instructors)"
    )
    parser.add_argument("--external-id", metavar="ID", help="what the role asks for; no secret")
    parser.add_argument("--only", action="append", default=[], metavar="LINE", help="judge this line only")
    parser.add_argument("--gap", default="", help="judge this gap alone, in the reference system")
    parser.add_argument("--result", metavar="FILE", help="where result.json goes")
    parser.add_argument(
        "--reports", metavar="FOLDER", help="where report.html, .md, junit.xml, results.json go"
    )
    parser.add_argument("--key", metavar="FILE", help=f"the grader key (default: ${KEY_VARIABLE})")
    parser.add_argument(
        "--gradescope-points",
        type=int,
        metavar="N",
        help="what Gradescope is set to; refused when the lab is worth another number",
    )
    parser.add_argument("--hidden", action="store_true", help="tell what hidden lines saw (instructors)")


def run(arguments: argparse.Namespace, console: Console, places: Places) -> int:
    """Grade, show, write the reports; the exit status says whether everything was judged."""
    from labkit.base import state
    from labkit.cli import live_grading
    from labkit.course.manifest import load
    from labkit.grading.grade import grade
    from labkit.grading.intake import identity
    from labkit.grading.model import to_json
    from labkit.grading.reports import html, terminal, words
    from labkit.lesson import freshness

    if arguments.target in ON_AWS:
        return live_grading.run(arguments, console, places)
    live_grading.refuse(arguments, live=False)
    request = request_of(arguments, places)
    _refuse_points(arguments.gradescope_points, places)
    console.event(_banner(arguments, places))
    if request.deployed and not arguments.submission:
        freshness.warn(_own_workspace(arguments, places), console.event)
    if said := identity.engine_said(request.engine, request.how):
        console.event(Event("note", said))
    result = _counted(grade(request, console.event), request)
    for text, style in terminal.render(result, hidden=arguments.hidden):
        console.line(text, style=style)
    if arguments.reports:
        write_reports(result, Path(arguments.reports), hidden=arguments.hidden)
        console.line(f"\nReports: {arguments.reports}/report.html and others beside it")
    elif words.whole(result) and not (arguments.submission or arguments.result):
        page = places.work / f"report-{result.about['student']}.html"
        state.write_text(page, html.render(result))
        console.line(f"\nThe whole report as a page: {page}")
    console.result(to_json(result))
    if not (arguments.submission or arguments.gap):
        _remember(result, arguments, places, console)
    if not arguments.submission:
        for line in _onward(result, places):
            console.line(line, style="strong")
    if words.whole(result) and not (arguments.submission or request.deployed):
        _own_workspace(arguments, places).record_step(load(places.root).step(_STEP).number)
    if words.judged(result):
        return GRADED
    return NOT_EMULATED if words.needs_a_person(result) else NOT_JUDGED


def _remember(result: "Result", arguments: argparse.Namespace, places: Places, console: Console) -> None:
    """Keep the verdicts for `./lab gap`, where there is a workspace of the student's own."""
    from labkit.cloud.client.lifecycle import LocalCloud
    from labkit.course.manifest import load
    from labkit.lesson.context import Context
    from labkit.lesson.help.verdicts import Verdicts
    from labkit.lesson.model import Options

    options = Options(arguments.student, solution=arguments.solution, engine=arguments.engine)
    cloud = LocalCloud(places.state / "cloud")
    Verdicts(Context(places, load(places.root), options, console.event, cloud)).note(result.lines)


def _counted(result: "Result", request: "Request") -> "Result":
    """As the course counts it, hints included."""
    from labkit.classroom import notes
    from labkit.classroom.counting import by_course

    return by_course(result, request.root, notes.hints(request.source))


def _onward(result: "Result", places: Places) -> Iterator[str]:
    """What to type next: where the heaviest loss can be won back, and after a whole grading the next step."""
    from labkit.course.manifest import load
    from labkit.grading.model import worst_first
    from labkit.grading.reports.words import whole

    names = {step.number: step.name for step in load(places.root).steps}
    if lost := worst_first(result.lines):
        yield f"To win {lost[0].id} back:  ./lab {f'gap {lost[0].gap}' if lost[0].gap else names[lost[0].step]}"
    if whole(result):
        yield "Next:  ./lab destroy"


def _banner(arguments: argparse.Namespace, places: Places) -> Event:
    """The step's title and what it means by the lab's cloud, as every step begins."""
    from labkit.course.manifest import load

    step = load(places.root).step(_STEP)
    where = "your local cloud" if arguments.target == "deployed" else "a fresh local cloud"
    return banner(f"{step.number} {step.title}", where, step=step.number)


def forget(places: Places, console: Console) -> None:
    """End the cloud that the judging of a gap keeps for the next one, and say so."""
    if (places.state / "grading").exists():
        from labkit.grading.grade import KEPT
        from labkit.grading.process.kept import Kept, alone

        folder = places.state / "grading" / KEPT
        with alone(folder, lambda: console.line("A gap is being judged; waiting for its end …")):
            if Kept(folder).stop():
                console.line("✓ The cloud that was kept for judging gaps is stopped.")


def _refuse_points(configured: int | None, places: Places) -> None:
    """Gradescope takes no results whose sum is not what it is set to."""
    from labkit.classroom.counting import scale

    if configured is not None and configured != (total := scale(places.root)):
        raise UsageError(
            f"Gradescope is set to {configured} autograder points, and marks here are out of {total:g}.",
            hint=f"Set the assignment's autograder points to {total:g}, or say in course.toml:  [points] scale_to = {configured}",
        )


def request_of(arguments: argparse.Namespace, places: Places) -> "Request":
    """What is to be graded, as it was typed."""
    from labkit.grading.grade import Request

    whose, source, records = _whose(arguments, places)
    key = arguments.key or os.environ.get(KEY_VARIABLE)
    folder = places.state / "grading" / whose.student
    result = (
        Path(arguments.result)
        if arguments.result
        else folder / _result_name(arguments, folder, keyed=bool(key))
    )
    outputs = {}
    if arguments.target == "deployed" and not arguments.submission:
        outputs = _own_workspace(arguments, places).record.deployed.get("outputs", {})
    return Request(
        root=places.root, student=whose.student, source=source, engine=whose.engine, how=whose.how,
        only=tuple(arguments.only), gap=arguments.gap, result=result, state=places.state / "grading",
        deployed=places.state / "cloud" if arguments.target == "deployed" else None, outputs=outputs,
        key=grader_key(arguments.key),
        records=records, own=not arguments.submission,
    )  # fmt: skip


def _result_name(arguments: argparse.Namespace, folder: Path, *, keyed: bool) -> str:
    """Some lines alone are no mark, and a look without the key is none: neither takes the place of one."""
    from labkit.grading import history

    if arguments.only or arguments.gap:
        return "part.json"
    return "look.json" if not keyed and history.is_keyed(folder / "result.json") else "result.json"


def _whose(arguments: argparse.Namespace, places: Places) -> "tuple[Settled, Path, Mapping[str, Path]]":
    """Student and engine, where the files are, and what a pack would hold besides the files."""
    from labkit.course.manifest import load
    from labkit.grading.intake.identity import Settled, settle
    from labkit.lesson.handing_in.pack import judged_records

    if arguments.submission:
        source, lab = Path(arguments.submission), load(places.root)
        return settle(source, arguments.student, arguments.engine, lab, anyway=arguments.anyway), source, {}
    workspace = _own_workspace(arguments, places)
    engine = arguments.engine or workspace.record.engine
    return Settled(workspace.variant.student, engine, "typed"), workspace.path, judged_records(workspace)


def _own_workspace(arguments: argparse.Namespace, places: Places) -> "Workspace":
    from labkit.course.manifest import load
    from labkit.course.workspace import Workspaces

    workspaces = Workspaces(places.base, load(places.root))
    return workspaces.open(arguments.student, solution=arguments.solution)


def grader_key(typed: str | None) -> bytes:
    """The grader key in the file that was typed, or that the environment names; without one that of a self-check."""
    from labkit.grading.grade import SELF_CHECK_KEY

    name = typed or os.environ.get(KEY_VARIABLE)
    return _key(Path(name)) if name else SELF_CHECK_KEY


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(
            f"The grader key {path} can't be read: {error.strerror}.",
            hint="Name another file, or make one:  openssl rand -hex 32 > grader.key",
        ) from error
    if len(key) < 16:
        raise UsageError(
            f"The grader key {path} is too short.", hint="Make one:  openssl rand -hex 32 > grader.key"
        )
    return key


def write_reports(result: "Result", folder: Path, *, hidden: bool) -> None:
    """Every report of the result, into `folder`."""
    from labkit.grading.reports import bundle

    bundle.write(result, folder, hidden=hidden)
