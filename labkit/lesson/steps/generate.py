"""Step 01: the student's own files, made from the templates.

What belongs here: this step's work and checks. What does not: how files are rendered (labkit.course.workspace).
"""

from labkit.base.errors import TemplateError, UsageError, WorkspaceError
from labkit.base.events import Event
from labkit.course.build import build
from labkit.course.variant import student_id
from labkit.course.workspace import folder_name
from labkit.deploy.engines import TITLES
from labkit.lesson.context import Context
from labkit.lesson.faults import prediction
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS = ("engine", "force", "predict")
JUDGES: Judged = "files"


def run(context: Context) -> StepResult:
    """Write the files; those that the student changed stay as they are unless `--force`."""
    options = context.options
    student, solution = _whose(context)
    _tell_of_another(context, student, solution=solution)
    made = context.workspaces.generate(student, solution=solution, force=options.force)
    if context.options.extra.get("predict"):
        hop = str(context.options.extra["predict"])
        prediction.store(context, hop)
        context.note(
            f"Your prediction is kept: hop {hop} fails first. ./lab wire lays it beside what happens."
        )
    for name in made.kept:
        context.note(f"{name} was changed by you and stays as it is (--force replaces it, with a backup)")
    for name, backup in made.backups.items():
        context.note(f"{name} was replaced; your text is kept in {backup}")
    return check(context)


def check(context: Context) -> StepResult:
    """The files are there and can be built within AWS's limits."""
    workspace = context.workspace
    variant = workspace.variant
    facts = (
        ("Your files", f"work/{workspace.path.name}/"),
        ("Your names begin with", variant.name),
        ("Your network", variant.vpc_cidr),
        ("Your server's port", str(variant.port)),
        ("Your objects' prefix", variant.prefix),
        ("Deployed with", TITLES[context.engine_name]),
    )
    return StepResult((_files_there(context), _builds(context)), facts)


def _whose(context: Context) -> tuple[str, bool]:
    """(student, whether the reference solution): as asked for, or as in the current workspace."""
    options = context.options
    if options.student is not None:
        return options.student, options.solution
    current = context.workspaces.current()
    if current is None:
        raise UsageError(
            "Who are you? The step needs your id.",
            hint="For example:  ./lab generate --student ada@uni.edu",
        )
    return current.variant.student, options.solution or current.solution


#: what the same student's other files deployed, by engine: Terraform's state lies with those files
_SAME_NAMES = {
    "cloudformation": "has the same names:  ./lab deploy  replaces it.",
    "terraform": "has the same names. Before you deploy these:  ./lab destroy",
}


def _tell_of_another(context: Context, student: str, *, solution: bool) -> None:
    """Another id than before, or the reference's files: the former stay. What they deployed stays with another id only."""
    try:
        before = context.workspaces.current()
    except WorkspaceError:
        return  # what is broken there is told when it is opened
    if before is None or before.path.name == folder_name(student, solution=solution):
        return
    if before.variant.student == student_id(student):
        until, stands = (
            "your files were others",
            _SAME_NAMES[before.record.deployed.get("engine", before.record.engine)],
        )
    else:
        until, stands = f"you were {before.variant.student}", "stands on."
    deployed = f" What they deployed {stands}" if before.record.deployed else ""
    text = f"Until now {until}. Those files stay in work/{before.path.name}/.{deployed} Back to them:"
    context.emit(Event("note", text, {"details": [before.generate_command]}))


def _files_there(context: Context) -> CheckResult:
    missing = context.workspace.missing()
    return CheckResult(
        "your files are there",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "",
        hint="Make them again:  ./lab generate" if missing else "",
    )


def _builds(context: Context) -> CheckResult:
    name = "they can be built within AWS's limits"
    try:
        result = build(context.workspace.files(), context.workspace.variant)
    except TemplateError as error:
        return CheckResult(name, False, error.message, error.hint)
    for warning in result.warnings:
        context.note(warning)
    return CheckResult(name, True)
