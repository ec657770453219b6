"""Live grading: each line that can be judged by reading is, where the lab stands on AWS.

What belongs here: which lines, what a check's end means here, and what stands in the others' place. What does not: reading (the
checks' own `live`), the guarantee that nothing is written (reads.py).

A refusal of AWS is never the submission's failure here: whoever reads may lack the right.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from labkit.base import state
from labkit.base.errors import StateError
from labkit.base.events import Emit, Event, ignore
from labkit.course import manifest, rubric
from labkit.course.rubric import Line
from labkit.course.variant import make_variant
from labkit.grading import history
from labkit.grading.api import Deployed, Lab
from labkit.grading.grade import CHECKS, Request, about_of, wanted_lines
from labkit.grading.intake import intake
from labkit.grading.judging import verdicts
from labkit.grading.judging.failure import Failed, NotTold
from labkit.grading.judging.naming import Names
from labkit.grading.model import (
    LIVE,
    NO_CHECK,
    NOT_ASKED,
    NOT_HERE,
    Result,
    Verdict,
    empty,
    from_json,
    to_json,
)
from labkit.grading.process import plugin, scratch
from labkit.live.reads import Reading
from labkit.live.standing import Standing

_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden")
_NO_RIGHT = "whoever reads here may not: {0}"


@dataclass(frozen=True)
class Looking:
    """Where it is judged: clients that only read, and where the last local result is."""

    reading: Reading
    local: Path | None = None


def grade(request: Request, looking: Looking, emit: Emit = ignore) -> Result:
    """Judge on AWS what can be judged there; lines that can't have their verdict of the last local grading of the same files.

    The result is no mark, whatever it holds. Raises as labkit.grading.grade.grade, and DeployError where AWS does not answer.
    """
    lines, started = rubric.load(request.root), time.monotonic()
    wanted, where = wanted_lines(lines, request), looking.reading.target
    with scratch.folder(request.state) as folder:
        taken = intake.take_in(request.source, folder / "submission", request.limits, request.records)
        variant = make_variant(manifest.load(request.root).salt, request.student)
        standing = Standing(looking.reading, variant, taken.folder, request.engine)
        local, result = _local(looking.local, taken.sha256), empty(lines, {})
        for line in lines.all:
            if line.id in wanted:
                result = _with(result, line, *_of(line, request, standing, local), emit)
            else:
                result = result.with_line(line.id, Verdict(reason=NOT_ASKED))
    about = {
        **about_of(request, lines), "target": where.name, "region": where.region, "submission": taken.sha256,
        "asked": sorted(looking.reading.asked),
    }  # fmt: skip
    when = {"graded": datetime.now(UTC).isoformat(timespec="seconds")}
    timing = {"seconds": round(time.monotonic() - started, 2)}
    result = replace(result, about=about, complete=True, when=when, timing=timing)
    if request.result is not None:
        history.set_aside(request.result)
        state.write_json(request.result, to_json(result))
    return result


def _with(result: Result, line: Line, verdict: Verdict, why: str, emit: Emit) -> Result:
    """With the line's verdict, which is told where it was come to here."""
    if verdict.way == LIVE:
        about = {"passed": verdict.passed, "line": line.id, "way": LIVE, "outcome": verdict.outcome}
        emit(Event("check", f"{line.id}: {line.title}", about))
    return result.with_line(line.id, verdict, why=why)


def _local(path: Path | None, submission: str) -> Mapping[str, Verdict]:
    """The verdicts that the last local grading came to on these very files; {} where it was of others."""
    try:
        value = state.read_json(path) if path else None
        result = from_json(value) if value else None
    except (StateError, ValueError):
        return {}
    if result is None or result.about.get("submission") != submission:
        return {}
    return {line.id: line.verdict for line in result.all if line.verdict.outcome != "not judged"}


def _of(
    line: Line, request: Request, standing: Standing, local: Mapping[str, Verdict]
) -> tuple[Verdict, str]:
    """The line's verdict, and why it matters."""
    path = plugin.found([str(request.root / folder) for folder in CHECKS], line)
    if path is None:
        return Verdict(reason=NO_CHECK), ""
    check, why = plugin.load(path)
    live = check.__globals__.get("live")
    if live is None:
        here = Verdict(reason=f"{NOT_HERE}: {why_not(line)}", hint="./lab grade")
        return local.get(line.id, here), why
    return judged(line, live, standing), why


def why_not(line: Line) -> str:
    """Why the line is not judged where a lab stands."""
    if line.disturbs or line.ends:
        return "it stops or deletes something"
    if "E" not in line.proof:
        return "it is about your files"
    return "it needs requests of its own, a look inside the server, or your own records"


def judged(line: Line, live: Callable[[Lab], float | None], standing: Standing) -> Verdict:
    """What this reading of the line comes to. What AWS does not let us read, and what nothing tells, is not judged."""
    lab = Lab(line.id, random.Random(line.id), standing, nothing_else)
    names = Names(standing.deployment.outputs, "\n".join(standing.submitted.values()))
    try:
        verdicts.refuse_undeployed(line, standing.deployment, found=True)
        verdict = verdicts.of_fraction(live(lab))
    except NotTold as error:
        verdict = Verdict(reason=str(error), hint=error.hint)
    except Exception as error:
        refused = next(_refusals(error), "")
        verdict = Verdict(reason=_NO_RIGHT.format(refused)) if refused else verdicts.of_error(error)
    return verdicts.stable(replace(verdict, way=LIVE, notes=tuple(lab.notes)), names)


def _refusals(error: BaseException | None) -> Iterator[str]:
    """What AWS did not let us read, in the error or what led to it."""
    from botocore.exceptions import ClientError

    while error is not None:
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _REFUSED:
            yield f"{error.operation_name} was refused"
        error = error.__cause__


def nothing_else(kind: Deployed) -> Lab:
    """There is no other deployment. Raises Failed."""
    raise Failed(f"there is no {kind} where a lab is only looked at")
