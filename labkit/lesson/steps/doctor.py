"""Step 00 among the other steps: the same look at the machine as steps/00_doctor.py, as checks.

What belongs here: turning findings into checks. What does not: looking (labkit.lesson.doctor).
"""

from labkit.lesson import doctor
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS: tuple[str, ...] = ()
JUDGES: Judged = "files"


def run(context: Context) -> StepResult:
    """Look, and remember what was seen."""
    findings = doctor.examine(str(context.places.root))
    doctor.remember(context.places.state, findings)
    return StepResult(tuple(_check(finding) for finding in findings))


check = run


def _check(finding: doctor.Finding) -> CheckResult:
    good = finding.state != "bad"
    name = f"{finding.name}: {finding.text}"
    return CheckResult(name, good, "" if good else finding.text, hint=finding.do)
