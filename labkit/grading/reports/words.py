"""What all reports say in the same words.

What belongs here: pure functions from a result to sentences. What does not: layout.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from labkit.base.text import printable, shortened
from labkit.grading.model import NO_CHECK, NOT_ASKED, NOT_HERE, LineResult, Result

_TROUBLE = "The grading met trouble of its own. Tell your instructor, whose result names it."
_OURS = "Not judged: our trouble, not yours"
_LACKING = "Not judged: AWS has it, and the local cloud does not; an instructor has to look"
_OPEN = "Not judged on AWS, for now"
#: of one text; those of a grading are shorter
_LONGEST = 2000


def points(value: float) -> str:
    """Points as people write them: 3, 2.5."""
    return f"{value:g}"


def headline(result: Result) -> str:
    """The mark in one line; on AWS, where there is none, what was judged and where."""
    if result.is_live:
        return _live(result)
    if result.about.get("only") or result.about.get("gap"):
        asked = [line for line in result.lines if asked_for(line)]
        if not asked:
            return bonus(result)
        unjudged = sum(line.verdict.outcome == "not judged" for line in asked)
        if unjudged:
            return f"No points yet: {unjudged} of {len(asked)} lines asked for could not be judged"
        return f"{points(sum(a.earned for a in asked))} of {sum(a.points for a in asked)} points of what was asked for"
    if (mark := result.mark) and mark.final is not None:
        more = f", and a bonus of {points(mark.bonus)}" if mark.bonus and mark.bonus_is_apart else ""
        by = f" ({mark.rubric})" if mark.rubric else ""
        return f"{points(mark.final)} of {points(mark.total)} points{by}{more}"
    if result.is_final:
        more = f", and a bonus of {points(result.bonus_score)}" if result.bonus_score else ""
        return f"{points(result.score)} of {result.total} points{more}"
    if whole(result):
        there = sum(line.points for line in elsewhere(result))
        return f"{points(result.score)} of {result.total - there} points; {there} more are tried only where you hand in"
    return f"No mark yet: {len(result.not_judged)} of {len(result.lines)} lines could not be judged"


def _live(result: Result) -> str:
    live, local = (_sum(line for line in result.lines if line.proof == proof) for proof in ("live", "local"))
    more = f"; {local} by the last local grading of the same files" if local else ""
    return f"No mark: {live or 'nothing'} live on AWS{more}"


def _sum(lines: Iterable[LineResult]) -> str:
    found = list(lines)
    return f"{points(sum(a.earned for a in found))} of {sum(a.points for a in found)} points" if found else ""


def elsewhere(result: Result) -> list[LineResult]:
    """Hidden lines of a self-check in a copy for students, which does not have their checks.

    None with a grader key: where marks are made, a check that is missing is our trouble.
    """
    if not result.about.get("self_check"):
        return []
    return [line for line in result.lines if line.hidden and line.verdict.reason == NO_CHECK]


def whole(result: Result) -> bool:
    """Whether everything was judged that can be judged here."""
    return result.complete and len(result.not_judged) == len(elsewhere(result))


def judged(result: Result) -> bool:
    """Whether everything that was asked for has been judged; a bonus keeps no mark from being final."""
    return result.complete and not unjudged(result)


def needs_a_person(result: Result) -> bool:
    """Whether all that keeps this from being judged is what the local cloud lacks: trying again says the same."""
    still_open = unjudged(result)
    return result.complete and bool(still_open) and all(line.verdict.lacking for line in still_open)


def unjudged(result: Result) -> list[LineResult]:
    """The lines that were asked for, can be judged here, and were not; those of the bonus where lines were chosen."""
    chosen = result.about.get("only") or result.about.get("gap")
    away = [*elsewhere(result), *not_here(result)]
    return [
        line
        for line in (result.all if chosen else result.lines)
        if line.verdict.outcome == "not judged" and asked_for(line) and line not in away
    ]


def not_here(result: Result) -> list[LineResult]:
    """The lines that only a local grading can judge, and that none has, of a result that was read on AWS."""
    return [line for line in result.all if line.verdict.reason.startswith(NOT_HERE)]


def unjudged_by_cause(result: Result) -> list[tuple[str, list[LineResult]]]:
    """The same under a heading for each cause, whose trouble it is; only causes that there are."""
    lines = unjudged(result)
    causes = (
        (_OPEN if result.is_live else _OURS, [line for line in lines if not line.verdict.lacking]),
        (_LACKING, [line for line in lines if line.verdict.lacking]),
    )
    return [(heading, found) for heading, found in causes if found]


def notes(result: Result) -> list[tuple[str, str]]:
    """What was seen at a line and costs nothing: (line, what)."""
    return [(line.id, note) for line in result.all if asked_for(line) for note in line.verdict.notes]


def asked_for(line: LineResult) -> bool:
    """Whether this run was to judge the line."""
    return line.verdict.reason != NOT_ASKED


def bonus(result: Result) -> str:
    """The head of the bonus lines that were asked for."""
    asked = [line for line in result.bonus if asked_for(line)]
    earned, there = sum(line.earned for line in asked), sum(line.points for line in asked)
    return f"Bonus, apart from the {result.total} points: {points(earned)} of {there}"


def bonus_line(line: LineResult) -> str:
    """A bonus line's title; where it was not earned, why not and what to do."""
    verdict = line.verdict
    rest = "" if verdict.passed else "; ".join(each for each in (verdict.reason, verdict.hint) if each)
    return f"{line.title}: {rest}" if rest else line.title


def circumstances(result: Result) -> list[str]:
    """What a reader must know about this result, one sentence each."""
    if result.is_live:
        return list(_on_aws(result))
    about, said = result.about, _counted(result)
    if about.get("self_check"):
        said.append("This is a self-check: the mark comes from your instructor.")
        said += _tried_elsewhere(result)
    if not about.get("reference", True):
        said.append("Judged only as submitted: the reference solution is not in this copy of the lab.")
    if about.get("target") == "deployed":
        said.append("Judged on what stands now; for the mark the lab is deployed afresh.")
    if about.get("tier_text"):
        said.append(f"{about['tier_text']} {about.get('tier_fix', '')}".strip())
    if not result.complete:
        said.append("The grading did not come to its end. That is not your fault and costs you nothing.")
        return said
    still_open = unjudged(result)
    if lacking := [line.id for line in still_open if line.verdict.lacking]:
        said.append(
            f"{lacks(result)} That costs nothing: an instructor has to look at {', '.join(lacking)}, marked ?."
        )
    if any(not line.verdict.lacking for line in still_open) and not (about.get("only") or about.get("gap")):
        said.append(
            "Some lines could not be judged. That is not your fault; run it again or tell your instructor."
        )
    return said


def _on_aws(result: Result) -> Iterator[str]:
    yield f"Read in {result.about.get('region')}, where your lab stands; the mark is that of ./lab grade."
    reasons: dict[str, list[str]] = {}
    for line in not_here(result):
        reasons.setdefault(line.verdict.reason.removeprefix(f"{NOT_HERE}: "), []).append(line.id)
    for reason, names in reasons.items():
        yield f"Not judged there, because {reason}: {', '.join(names)}."


def _tried_elsewhere(result: Result) -> Iterator[str]:
    """Hidden lines: what this copy could not try at all, and what it tried with other inputs."""
    hidden = [line for line in result.lines if line.hidden and asked_for(line)]
    untried = [line for line in hidden if line.verdict.reason == NO_CHECK]
    for lines, what in (
        (untried, "are tried only where you hand in (marked ?)"),
        (
            [line for line in hidden if line not in untried],
            "are tried there with inputs that nobody knows before the deadline, so they may come out otherwise",
        ),
    ):
        if lines:
            at_stake = points(sum(line.points for line in lines))
            yield f"{at_stake} of the points {what}: {', '.join(line.id for line in lines)}."


def _counted(result: Result) -> list[str]:
    """What led from the lines to the mark, where that is more than their sum."""
    mark = result.mark
    said: list[str] = []
    if mark is None or mark.final is None:
        return said
    sums = mark.steps[1:]  # the first is the lines' own
    if any(step.change != "beside the mark" for step in sums):
        told = "; ".join(f"{step.what}: {step.change}" for step in sums)
        said.append(f"{points(result.score)} of {result.total} points of its lines; {told}.")
    said += [f"{pending[:1].upper()}{pending[1:]}: the mark may move." for pending in mark.pending]
    if mark.left:
        said.append(
            f"{len(mark.left)} lines are not counted, since their gaps were given: {', '.join(mark.left)}."
        )
    return said


def lacks(result: Result) -> str:
    """What of AWS the local cloud lacks and the submission uses, in one sentence."""
    names = dict.fromkeys(line.verdict.lacking for line in result.all if line.verdict.lacking)
    return f"The local cloud does not have what AWS has here: {', '.join(names)}."


def proof(line: LineResult) -> str:
    """Which attempt decided the line."""
    return {
        "as submitted": "as submitted",
        "alone": "your text alone, in the reference system",
        "live": "live, on AWS, by reading alone",
        "": "",
    }[line.verdict.way]


def why(line: LineResult) -> str:
    """Why the line matters: what follows the first paragraph of its check's docstring."""
    _, _, rest = line.why.partition("\n\n")
    return " ".join((rest or "").split())


def holds(line: LineResult) -> str:
    """What must hold: the first paragraph of the check's docstring, or the line's title."""
    return " ".join(line.why.partition("\n\n")[0].split()) or line.title


def found(line: LineResult) -> str:
    """What was found, unless the reason says it already."""
    return "" if line.verdict.found in line.verdict.reason else line.verdict.found


def back_to(line: LineResult) -> str:
    """Where to go back to."""
    gap = f", gap {line.gap}" if line.gap else ""
    return f"step {line.step}{gap}"


def untold(line: LineResult) -> str:
    """What stands in the place of a hidden line's reason."""
    if line.verdict.outcome == "not judged":
        ours = line.verdict.reason in (NOT_ASKED, NO_CHECK) or line.verdict.reason.startswith(NOT_HERE)
        return line.verdict.reason if ours else "it could not be judged"
    return "judged with inputs that are not told before the deadline"


def without_hidden(result: Result) -> Result:
    """The result as it may be told: of hidden lines the outcome and the points alone; nowhere how long a line took.

    A program judged beside the reference, or with hidden inputs, could tell of them by the time it takes.
    """
    for line in result.all:
        kept = line.verdict
        if line.hidden:
            kept = replace(kept, reason=untold(line), hint="", expected="", found="", evidence=(), notes=())
        result = result.with_line(line.id, kept, seconds=-line.seconds)
    kept_back = result.trouble and not result.about.get("self_check")  # of hidden lines, too
    return replace(result, trouble=(_TROUBLE,)) if kept_back else result


def told(result: Result, *, hidden: bool) -> Result:
    """What a report says: with texts that are safe on one line anywhere; `hidden`: also what hidden lines saw."""
    result = result if hidden else without_hidden(result)
    for line in result.all:
        seen = line.verdict
        safe = replace(
            seen,
            reason=_safe(seen.reason),
            hint=_safe(seen.hint),
            expected=_safe(seen.expected),
            found=_safe(seen.found),
            evidence=tuple(map(_safe, seen.evidence)),
            notes=tuple(map(_safe, seen.notes)),
        )
        result = result.with_line(line.id, safe)
    about = {name: _safe(value) if isinstance(value, str) else value for name, value in result.about.items()}
    return replace(result, about=about, trouble=tuple(map(_safe, result.trouble)))


def _safe(text: str) -> str:
    return printable(shortened(text, _LONGEST))
