"""Step 11: one zip with everything that is handed in, and a manifest of it.

What belongs here: this step's work and checks. What does not: marking it.
"""

from dataclasses import replace

from labkit.course import answers, course
from labkit.lesson.context import Context
from labkit.lesson.handing_in import pack, receipt
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS: tuple[str, ...] = ()
JUDGES: Judged = "files"


def run(context: Context) -> StepResult:
    """Write submission-<id>.zip beside the workspace and a receipt of it, then check it; at the end look back."""
    workspace = context.workspace
    path = pack.path_of(workspace)
    content = pack.content(workspace)
    pack.write(path, content, workspace)
    told = receipt.write(context, path, sorted(content))
    result = _result(context, path.name, sorted(content))
    closing = receipt.closing(context) if result.passed else ()
    return replace(result, facts=(*told, *closing))


def check(context: Context) -> StepResult:
    """What the newest pack holds."""
    path = pack.path_of(context.workspace)
    if not path.exists():
        return StepResult((CheckResult("the pack is there", False, "not yet", hint="./lab submit"),))
    return _result(context, path.name, pack.names(path))


def _result(context: Context, name: str, names: list[str]) -> StepResult:
    workspace = context.workspace
    missing = workspace.missing()
    chosen = course.load(context.manifest)
    unanswered = answers.unanswered(workspace.path, chosen.questions)
    open_questions = [q.id for q in unanswered if not chosen.required or q.id in chosen.required]
    number = context.manifest.step("destroy").number
    everywhere = ("", *workspace.places())
    standing = [place for place in everywhere if replace(workspace, place=place).standing.deployed]
    destroyed = not standing and any(
        number in replace(workspace, place=place).steps_done() for place in everywhere
    )
    checks = (
        CheckResult("your files are in it", not missing, f"missing: {', '.join(missing)}", hint="./lab generate"),
        CheckResult("your measurement is in it", "measurements/measurement.json" in names, "there is none",
                    hint="./lab deploy && ./lab measure && ./lab destroy"),
        CheckResult("every question is answered", not open_questions, f"open: {', '.join(open_questions)}",
                    hint=f"Write into work/{workspace.path.name}/{answers.FILE}"),
        CheckResult("nothing is left of what you deployed", destroyed, "your lab still stands, or was never destroyed",
                    hint="./lab destroy"),
    )  # fmt: skip
    facts = (("Hand in", f"work/{name}"), ("In it", f"{len(names)} files, and the list of them"))
    return StepResult(checks, facts, {"pack": name, "names": names})
