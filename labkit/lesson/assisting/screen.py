"""One screen of 80 columns on what a student has sent: who, how far, where the path ends, why, what to ask.

What belongs here: its lines. What does not: finding out (opening), marks (labkit.classroom), printing.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import labkit
from labkit.base.text import printable, shortened
from labkit.classroom.overview import common
from labkit.classroom.standing import Standing
from labkit.course import gaps
from labkit.grading.model import LineResult, worst_first
from labkit.lesson.assisting.opening import Opened, Sent, Tried
from labkit.lesson.path.path import MARKS, NAMES

WIDTH = 80
Line = tuple[str, str]
#: what journalctl puts before a line
_STAMP = re.compile(r"^\w{3} \d\d \d\d:\d\d:\d\d \S+ ")


def lines(
    opened: Opened, tried: Tried | None, standings: Sequence[Standing] = (), *, safe: bool = False
) -> Iterator[Line]:
    """The screen. `tried` None: nothing was run. `standings`: the class, where it was graded. `safe`: without the name."""
    own = next((each for each in standings if _is_of(each, opened.sent)), None)
    yield from _head(opened, own, safe=safe)
    yield "", ""
    if tried:
        yield from _path(tried)
    yield from _likely(own, standings)
    yield "", ""
    yield from _files(opened)
    if tried:
        yield from _words(tried)
    yield from _helped(opened.sent)


def _is_of(each: Standing, sent: Sent) -> bool:
    handin = each.handin
    return handin is not None and (handin.sha256 == sent.sha256 or handin.student == sent.student)


# ---- Who, and how far -------------------------------------------------------------------------------


def _head(opened: Opened, own: Standing | None, *, safe: bool) -> Iterator[Line]:
    sent, variant = opened.sent, opened.workspace.variant
    kit = f"kit {sent.kit or '?'}{'' if sent.kit == labkit.__version__ else f' (here {labkit.__version__})'}"
    who = variant.code if safe else f"{sent.student}  own values {variant.code}"
    yield _cut(f"{who}  {variant.vpc_cidr} port {variant.port}  {kit}"), "strong"
    parts = [f"engine: {sent.engine}", _mark(own), f"hints {sent.hints}", _spent(sent.steps)]
    yield _cut(" | ".join(filter(None, parts))), ""
    done = " ".join(sorted(sent.steps)) or "none"
    stuck = sent.stuck
    at = (
        f"; stopped at {stuck['step']}: {stuck.get('check', '')} ({stuck.get('tries', '?')} tries)"
        if "step" in stuck
        else ""
    )
    yield _cut(f"steps done: {done}{at}"), ""


def _mark(own: Standing | None) -> str:
    if own is None:
        return "mark: not graded here"
    mark, handin = own.mark, own.handin
    said = mark.state if mark.final is None else f"{mark.final:g} of {mark.total:g}"
    return f"mark {said}{f', handed in {handin.at[:16]}' if handin and handin.at else ''}"


def _spent(steps: Mapping[str, str]) -> str:
    """How long lies between the first step that is recorded and the last; nothing where the times are none."""
    values = sorted(steps.values())
    try:
        first, last = (datetime.fromisoformat(values[n]) for n in (0, -1))
        minutes = int((last - first).total_seconds() // 60)
    except (ValueError, IndexError, TypeError):
        return ""
    return f"steps over {minutes // 60} h {minutes % 60:02}"


# ---- Where it stops, and why ------------------------------------------------------------------------


def _path(tried: Tried) -> Iterator[Line]:
    states = {str(hop.get("name")): hop.get("state") for hop in tried.hops}
    if tried.hops and tried.stopped and all(state != "bad" for state in states.values()):
        states["store"] = "bad"
    elif tried.hops and not tried.stopped:
        states["store"] = "ok"
    if tried.hops:
        marks = {"ok": MARKS["ok"], "bad": MARKS["bad"]}
        yield (
            _field(
                "PATH",
                " > ".join(f"{name} {marks.get(str(states.get(name)), MARKS['unknown'])}" for name in NAMES),
            ),
            "",
        )
    if tried.stopped is None:
        yield _field("STOPS", "nowhere: it deploys, the path holds, a picture is stored and recorded"), "good"
        return
    yield from _wrapped("STOPS", f"{tried.stopped.name}: {tried.stopped.reason}", "bad")
    for detail in tried.stopped.details:
        yield _field("", printable(detail)), ""
    if tried.stopped.gap:
        yield _field("GAP", tried.stopped.gap), ""


def _likely(own: Standing | None, standings: Sequence[Standing]) -> Iterator[Line]:
    """The costliest losses of the grading, and how many of the class lose there for the same reason."""
    report = own.counted if own else None
    for number, line in enumerate(worst_first(report.lines)[:3] if report else ()):
        same = sum(_loses_so(each, line) for each in standings)
        yield from _wrapped(
            "" if number else "LOST", f"−{line.lost:g} {line.id}: {line.verdict.reason or line.said}", ""
        )
        yield _field("", f"{same} of {len(standings)} in the class lose it for this reason"), "dim"


def _loses_so(each: Standing, line: LineResult) -> bool:
    found = next(
        (other for other in (each.counted.lines if each.counted else ()) if other.id == line.id), None
    )
    return bool(found and found.lost and common(found.verdict.reason) == common(line.verdict.reason))


# ---- What was written, and said ---------------------------------------------------------------------


def _files(opened: Opened) -> Iterator[Line]:
    workspace, context = opened.workspace, opened.context
    newer = opened.sent.newer
    said = (
        "nothing was deployed when this was sent"
        if newer is None
        else f"no: {', '.join(newer)} saved since"
        if newer
        else "yes"
    )
    yield from _wrapped("DEPLOYED", f"the files as sent?  {said}", "")
    files, starter = workspace.files(), context.workspaces.starter(workspace)
    places = [gaps.place(gap, files, starter, opened.sent.engine) for gap in context.manifest.gaps]
    written = " ".join(str(each.gap.order) for each in places if each.written) or "none"
    empty = " ".join(str(each.gap.order) for each in places if not each.written) or "none"
    blank = gaps.carry(starter, files)
    outside = [name for name, data in files.items() if data and blank[name] != starter[name]]
    missing = f" | missing: {', '.join(workspace.missing())}" if workspace.missing() else ""
    yield from _wrapped(
        "WROTE",
        f"gaps {written} | as given: {empty} | outside gaps: {', '.join(outside) or 'nothing'}{missing}",
        "",
    )


def _words(tried: Tried) -> Iterator[Line]:
    for label, text in (("SERVER", _STAMP.sub("", tried.server)), ("LAMBDA", tried.function)):
        if text:
            yield _field(label, shortened(" ".join(printable(text).split()), WIDTH - 12)), ""


def _helped(sent: Sent) -> Iterator[Line]:
    """What a help zip holds besides: the last error that was told there, what the doctor found bad."""
    for line in sent.errors[-3:]:
        yield from _wrapped("ERROR" if line == sent.errors[-3:][0] else "", line, "")
    for line in sent.doctor:
        yield from _wrapped("DOCTOR", line, "warn")


def onward(place: Path, stopped_at: str) -> Iterator[Line]:
    """What can be typed next."""
    name = place.name
    yield "", ""
    yield "In its own folder and cloud, your own work is untouched:", "strong"
    for words in (
        f"gap {stopped_at}" if stopped_at else "gap",
        "diff",
        "wire",
        "shell server",
        "logs server",
    ):
        yield f"  ./lab ta in {name} {words}", ""
    yield f"Its files: {place / 'work'}", "dim"
    yield f"End it:  ./lab ta close {name}", ""


def _field(label: str, text: str) -> str:
    return _cut(f"{label:<9} {text}")


def _wrapped(label: str, text: str, style: str) -> Iterator[Line]:
    """At most four lines."""
    parts = textwrap.wrap(printable(" ".join(text.split())), WIDTH - 10, break_on_hyphens=False) or [""]
    for number, part in enumerate(parts[:4]):
        yield _field("" if number else label, part), style


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
