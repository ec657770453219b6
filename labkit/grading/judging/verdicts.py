"""From what a check did to a verdict: what it returned, what it raised, and texts that are the same in every run.

What belongs here: pure functions. What does not: whose fault an exception is (blame), what is told of a verdict
(own_words).
"""

from collections.abc import Mapping
from dataclasses import replace

from labkit.base.errors import LabError
from labkit.base.text import printable, shortened
from labkit.course.rubric import Line, Rubric
from labkit.deploy.model import Deployment
from labkit.grading.api import undeployed
from labkit.grading.judging import blame, lacking
from labkit.grading.judging.failure import Failed
from labkit.grading.judging.naming import Names
from labkit.grading.model import Verdict

_LONGEST = 600
_EVIDENCE = 12


def of_fraction(fraction: object) -> Verdict:
    """None and 1 pass; a part is a failure with part of the points; anything else is our mistake, TypeError."""
    if fraction is None or fraction is True:
        return Verdict("passed", 1.0)
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise TypeError(f"the check returned {fraction!r}")
    if fraction == 1:
        return Verdict("passed", 1.0)
    return Verdict("failed", float(fraction), reason="only a part of it holds")


def of_error(error: Exception) -> Verdict:
    """The verdict; "not judged" with the reason where it is not the submission's, or the cloud failed meanwhile."""
    if isinstance(error, lacking.NotEmulated):
        return lacking.verdict(error.what)
    faults = "".join(getattr(error, "__notes__", ()))
    failed = blame.failure(error)
    if failed is not None and faults:
        return Verdict(reason=f"the local cloud failed meanwhile: {faults}", evidence=(failed.reason,))
    if failed is not None:
        return failed
    if isinstance(error, LabError):
        return Verdict(reason=f"{type(error).__name__}: {error.message}", hint=error.hint)
    return Verdict(reason=f"{type(error).__name__}: {error}", evidence=blame.where(error))


def blocked(line: Line, rubric: Rubric, before: Mapping[str, Verdict]) -> Verdict | None:
    """The verdict where trying the whole is useless, because a line that this one needs does not hold."""
    for need in line.needs:
        if (verdict := before.get(need)) is None or verdict.passed:
            continue
        if verdict.lacking:
            return lacking.verdict(verdict.lacking)
        return Verdict(
            verdict.outcome,
            hint=f"mend the line {need!r} first",
            reason=f"it can't be tried as a whole until this holds: {need} ({rubric.line(need).title})",
        )
    return None


def refuse_undeployed(line: Line, deployment: Deployment, *, found: bool) -> None:
    """There is nothing to look at; said here where nobody asked for the line that says it. Raises Failed, NotEmulated.

    `found`: looked for in the student's own cloud, where nothing was deployed by us.
    """
    if deployment.status == "complete" or not (line.needs or line.whole or line.ends):
        return
    if found and deployment.status == "absent":
        raise Failed(
            "nothing of your lab stands now",
            hint="./lab deploy, then the same command again",
            expected="your lab",
            found="nothing",
        )
    if what := lacking.named(deployment.reason):
        raise lacking.NotEmulated(what)
    if line.needs:
        raise undeployed(deployment)


def stable(verdict: Verdict, names: Names) -> Verdict:
    """Texts made safe, short, and the same in every run."""

    def clean(text: str) -> str:
        return shortened(printable(names.stable(text)), _LONGEST)

    return replace(
        verdict,
        reason=clean(verdict.reason),
        hint=clean(verdict.hint),
        expected=clean(verdict.expected),
        found=clean(verdict.found),
        evidence=tuple(map(clean, verdict.evidence[:_EVIDENCE])),
        notes=tuple(map(clean, verdict.notes[:_EVIDENCE])),
    )
