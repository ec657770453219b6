"""Step 08 (optional): the same lab with both engines, each on a cloud of its own; the student fills in a table.

What belongs here: this step's work, checks and screen. What does not: a trial (labkit.lesson.compare.trial), the table
(labkit.lesson.compare.comparison). What stands in the student's own cloud is not touched.
"""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.base.events import Emit, Event
from labkit.course import course, gaps
from labkit.deploy.engines import NAMES, TITLES
from labkit.deploy.parity import Difference, compare
from labkit.lesson.compare import comparison
from labkit.lesson.compare.parity import alone
from labkit.lesson.compare.trial import HAND, Trial, try_out
from labkit.lesson.context import Context
from labkit.lesson.measuring import beside
from labkit.lesson.model import CheckResult, Judged, Options, StepResult

OPTIONS = ("compare",)
JUDGES: Judged = "files"

_NONE = CheckResult("both engines were tried", False, "not yet", hint="./lab compare")


def run(context: Context) -> StepResult:
    """Try both engines out, keep what was seen, make the table where there is none."""
    allowed = course.load(context.manifest).engines
    if len(allowed) < len(NAMES):
        raise UsageError(
            f"This course uses {TITLES[allowed[0]]} only: there is nothing to compare.", hint="./lab grade"
        )
    other = _other(context)
    context.terraform.check()  # before the first minute is gone
    if unwritten := _open(context):
        context.emit(Event("warning", f"{unwritten} What you see will differ there."))
    context.make_engine("terraform").validate()  # and its provider, before the first minute is gone
    context.note("About two minutes, most of them Terraform's own waits. Your own lab is not touched.")
    trials = [_trial(context, name) for name in NAMES]
    value = {
        "format": 1,
        "about": _about(context),
        "trials": [trial.evidence() for trial in trials],
        "differences": [_differs(d) for d in compare(*(trial.inventory for trial in trials))],
    }
    state.write_json(context.workspace.path / comparison.DATA, value)
    comparison.begin(context.workspace.path)
    return _result(context, value, other)


def check(context: Context) -> StepResult:
    """The table beside what the last trials saw."""
    value = state.read_json(context.workspace.path / comparison.DATA)
    return StepResult((_NONE,)) if value is None else _result(context, value, _other(context))


def _trial(context: Context, engine: str) -> Trial:
    workspace = context.workspace
    options = Options(workspace.variant.student, solution=workspace.solution, engine=engine)
    files = workspace.files()
    with alone(context.places, context.manifest, options, _notes(context)) as own:
        own.workspaces.generate(workspace.variant.student, solution=workspace.solution)
        for name, data in files.items():
            state.write_bytes(own.workspace.path / name, data)
        own.cloud.ensure()
        return try_out(own)


def _notes(context: Context) -> Emit:
    """What a trial says of itself, without each resource's coming and going."""
    return lambda event: context.emit(event) if event.kind == "note" else None


def _differs(difference: Difference) -> str:
    """A difference between the two engines' labs as a sentence."""
    what = f"{difference.role}: {difference.path}" if difference.path else difference.role
    return f"{what}: CloudFormation {difference.left}, Terraform {difference.right}"


def _about(context: Context) -> Mapping[str, Any]:
    target = context.clients.target
    return {
        "target": target.name,
        "region": target.region,
        "fingerprint": context.workspace.fingerprint(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _other(context: Context) -> Mapping[str, Any] | None:
    """Another comparison.json, for example one with times of AWS. Raises UsageError for what is none."""
    name = context.options.extra.get("compare")
    if not name:
        return None
    value = beside.read(Path(str(name)), "a comparison.json; step 08 leaves it in work/<id>/")
    try:
        for trial in value["trials"]:
            _ = trial["engine"], {key: float(trial["seconds"][key]) for key in ("create", "again", "destroy")}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{name} is no comparison.json.", hint="Step 08 leaves one in work/<id>/."
        ) from error
    return value


def _result(context: Context, value: Mapping[str, Any], other: Mapping[str, Any] | None) -> StepResult:
    differences = list(value["differences"])
    path = context.workspace.path / comparison.TABLE
    table = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    open_cells = list(comparison.wrong(table, value["trials"]))
    stale = value["about"].get("fingerprint") != context.workspace.fingerprint()
    checks = (
        *([CheckResult("your files are those that were tried", False, "they have changed since", "./lab compare")] if stale else []),
        CheckResult(
            "both engines create the same", not differences,
            f"{len(differences)} things differ" if differences else "", _unwritten(context),
            details=tuple(line for text in differences[:5] for line in textwrap.wrap(text, 76)[:8]),
        ),
        CheckResult(
            "your table says what your runs showed", not open_cells, "; ".join(open_cells[:2]),
            f"Fill in work/{context.workspace.path.name}/{comparison.TABLE}, then:  ./lab compare --check",
        ),
    )  # fmt: skip
    return StepResult(checks, tuple(_facts(value, other)), {"comparison": dict(value)})


def _unwritten(context: Context) -> str:
    """What to do about differences: write the gaps that the other engine's files still want."""
    return _open(context) or "Compare the two files at these places."


def _open(context: Context) -> str:
    """Which gaps are not written in one engine's files, "" for none."""
    workspace = context.workspace
    files, starter = workspace.files(), context.workspaces.starter(workspace)
    places = [
        (gap.name, place.file)
        for engine in NAMES
        for gap in context.manifest.gaps
        if len(set(gap.files.values())) > 1
        for place in [gaps.place(gap, files, starter, engine)]
        if not place.written
    ]
    if not places or workspace.solution:
        return ""
    names = ", ".join(name for name, _ in places)
    engine = next(e for e in NAMES if places[0][1] in {gap.files[e] for gap in context.manifest.gaps})
    return f"Not written yet in {places[0][1]}: {names}. See them:  ./lab gap --engine {engine}"


def _facts(value: Mapping[str, Any], other: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    for trial in value["trials"]:
        yield from _seen(trial)
    yield "mind", "seconds of the local cloud; on AWS minutes: the server boots, interfaces linger"
    if other is not None:
        yield "beside it", beside.place(other)
        for trial in other["trials"]:
            yield TITLES.get(trial["engine"], "?"), _times(trial["seconds"])


def _seen(trial: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield TITLES[trial["engine"]], _times(trial["seconds"])
    yield "  state", trial["state"]
    planned = ", ".join(trial["shown"]) or "nothing to change"
    yield "  by hand", f"{HAND}; the plan says: {planned}"
    yield "", f"after deploying again it is {'60 s, as your files say' if trial['repaired'] else 'still 3 s'}"
    yield "  failure", textwrap.shorten(str(trial["failure"]), 200, placeholder=" …")
    yield "", f"afterwards there stand: {', '.join(trial['left']) or 'nothing'}"


def _times(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {float(seconds[name]):.1f} s" for name in ("create", "again", "destroy"))
